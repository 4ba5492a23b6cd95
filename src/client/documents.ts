/** The documents that the client sends, in full: what they repeat is compressed, and a bundler leaves out what is not used. */

const replyFields =
  'id status text followUps question{text options fields{name type isRequired}}omitted contextReset usage{inputTokens outputTokens totalTokens}reasoning queuePosition toolCalls{callId kind name arguments}actionExpiresAt upstreamCancelled failure{code message retryable retryAfterMs}conversation{id}message{id text}answer{id}'

export const reply = `reply{${replyFields}}`
export const position = `query($ids:[ID!]!){viewer{sessionFingerprint eventCursor keepAliveMs}nodes(ids:$ids){...on Reply{${replyFields}}}}`
export const sessionEvents =
  'subscription($after:String){replies(after:$after){__typename cursor replyId ...on ReplyDelta{kind offset text}...on ReplyActionRequired{toolCalls{callId kind name arguments}expiresAt}...on ReplyCompleted{text followUps question{text options fields{name type isRequired}}omitted contextReset usage{inputTokens outputTokens totalTokens}reply{answer{id}}}...on ReplyFailed{failure{code message retryable retryAfterMs}}...on ReplyCancelled{upstreamCancelled}}}'

export const attachment = 'attachment{id name mediaType byteSize}'
export const openReplies = 'query($id:ID!){conversation(id:$id){openReplies{id}}}'
export const messages =
  'query($id:ID!,$first:Int,$after:String,$last:Int,$before:String){conversation(id:$id){messages(first:$first,after:$after,last:$last,before:$before){nodes{id role text createdAt rating attachments{id name mediaType byteSize}imageUrls reply{id status}}pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}}'

export const conversation =
  'query($id:ID!){conversation(id:$id){id title assistant{id name}createdAt lastUsedAt}}'
export const conversations =
  'query($first:Int,$after:String,$last:Int,$before:String){conversations(first:$first,after:$after,last:$last,before:$before){nodes{id title assistant{id name}createdAt lastUsedAt}pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}'
export const assistants =
  '{assistants{id name isAvailable greeting suggestedOpenings parameterNames metadataNames acceptsAttachments imageHosts}}'
export const viewer =
  '{viewer{sessionFingerprint isGuest isOperator credentialExpiresAt eventCursor keepAliveMs limits{messages{limit remaining resetAt}openReplies{limit remaining resetAt}uploads{limit remaining resetAt}maxMessageLength maxAttachments maxUploadByteSize uploadMediaTypes}}}'
