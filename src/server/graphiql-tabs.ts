/** The operations that GraphiQL opens with: say something, see it answered, look around. */
export const graphiqlTabs: readonly { readonly query: string; readonly variables?: string }[] = [
  {
    query: `# 1. Say something. The second tab shows the answer as it comes.
mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessageSuccess {
      reply {
        id
        status
        conversation {
          id
        }
      }
    }
    ... on Error {
      code
      message
    }
  }
}
`,
    variables: JSON.stringify({ input: { text: 'My favourite colour is teal.' } }, undefined, 2),
  },
  {
    query: `# 2. Run this first and leave it open: it follows every reply of your session.
subscription Replies($replyId: ID, $after: String) {
  replies(replyId: $replyId, after: $after) {
    __typename
    cursor
    replyId
    ... on ReplyDelta {
      kind
      offset
      text
    }
    ... on ReplyCompleted {
      text
      followUps
    }
    ... on ReplyFailed {
      code
      message
    }
  }
}
`,
  },
  {
    query: `# 3. What there is.
query Overview {
  viewer {
    session
    credentialExpiresAt
    cursor
  }
  assistants {
    id
    name
  }
  conversations(first: 5) {
    edges {
      node {
        id
        lastUsedAt
        messages(last: 4) {
          edges {
            node {
              role
              text
            }
          }
        }
      }
    }
  }
}
`,
  },
]
