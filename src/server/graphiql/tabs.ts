/**
 * The operations that GraphiQL opens with: send a message, see the reply, look around. The input is part of the document,
 * since GraphiQL drops the variables of its default tabs. The editor shows about 50 characters of a line.
 */
export const graphiqlTabs: readonly { readonly query: string }[] = [
  {
    query: `# 1. Say something. The answer grows at the right.
mutation SendMessage {
  sendMessage(input: { text: "My favourite colour is teal." }) {
    __typename
    ... on SendMessageSuccess {
      reply {
        id
        status
        text
        conversation {
          id
        }
      }
    }
    ... on UserError {
      code
      message
    }
  }
}
`,
  },
  {
    query: `# 2. Follow all replies of your session.
subscription Replies {
  replies {
    __typename
    cursor
    replyId
    ... on ReplyDelta {
      kind
      offset
      text
    }
    ... on ReplyActionRequired {
      toolCalls {
        callId
        name
        arguments
      }
    }
    ... on ReplyCompleted {
      text
      followUps
      question {
        text
        options
      }
    }
    ... on ReplyFailed {
      failure {
        code
        message
      }
    }
  }
}
`,
  },
  {
    query: `# 3. What there is.
query Overview {
  viewer {
    sessionFingerprint
    credentialExpiresAt
    eventCursor
  }
  assistants {
    id
    name
  }
  conversations(first: 5) {
    nodes {
      id
      lastUsedAt
      messages(last: 4) {
        nodes {
          role
          text
        }
      }
    }
  }
}
`,
  },
]
