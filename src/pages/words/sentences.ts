/**
 * What the gateway itself says to operators, in English and in Chinese: findings of a probe with their causes and remedies,
 * what keys a layer, the steps of a probe, why a reply was driven as it was, and what the demo offers to say. `{0}` and `{1}`
 * stand for a number or a name. A text may be several of them, one after the other.
 */
const chinese: Readonly<Record<string, string>> = {
  // Findings
  'Two sessions were given one upstream conversation.': '两个会话得到了同一个平台对话。',
  'One session was told the secret of another, which the owner itself is not told in a new conversation.':
    '一个会话得知了另一个会话的秘密，而秘密的主人在新对话里都问不到它。',
  'A leak of variables or memory hides this layer.': '变量或记忆的泄漏掩盖了这一层。',
  'No session was told the secret of another.': '没有会话得知别人的秘密。',
  'This rests on 1 cross question: with 95 % confidence, at most {0} % of them would leak.':
    '依据 1 次交叉提问：在 95 % 的置信度下，最多有 {0} % 会泄漏。',
  'This rests on {0} cross questions: with 95 % confidence, at most {1} % of them would leak.':
    '依据 {0} 次交叉提问：在 95 % 的置信度下，最多有 {1} % 会泄漏。',
  'Note: The platform lets a stranger who knows the name of a conversation into it.':
    '注意：只要知道对话的名称，平台就会让陌生人进入。',
  'Note: The platform lets a stranger who knows the id of a conversation into it.':
    '注意：只要知道对话的 ID，平台就会让陌生人进入。',
  'The platform lets a stranger who knows the name of a conversation into it.':
    '只要知道对话的名称，平台就会让陌生人进入。',
  'The platform lets a stranger who knows the id of a conversation into it.':
    '只要知道对话的 ID，平台就会让陌生人进入。',
  'Nobody can guess those of the gateway.': '网关所用的无法猜到。',
  'The variables of one session hold the secret of another.':
    '一个会话的变量里有另一个会话的秘密。',
  'Only the variables of its own session hold the secret.': '秘密只在它自己会话的变量里。',
  'The assistant does not keep the secret in variables.': '助手没有把秘密存进变量。',
  'The platform does not let the gateway read the variables.': '平台不允许网关读取变量。',
  'The shared conversation hides this layer.': '共用的对话掩盖了这一层。',
  'In a conversation of its own, one session was told the secret of another, and its variables do not hold it.':
    '一个会话在自己的对话里得知了另一个会话的秘密，而它的变量里并没有这个秘密。',
  'What the assistant remembers beyond a conversation was told to its own session only.':
    '助手跨对话记住的内容只告诉了它自己的会话。',
  'The assistant remembers nothing beyond a conversation.': '助手不会跨对话记住任何内容。',
  'The variables hold the secret, and hide this layer.': '变量里有这个秘密，掩盖了这一层。',
  'The assistant said a secret that nobody had told it.': '助手说出了一个没有人告诉过它的秘密。',
  'The assistant asked a question before it answered, and did not recall what the same session had told it.':
    '助手在回答之前先提了问题，也没有记起同一会话告诉过它的内容。',
  'The assistant did not recall what the same session had told it in the same conversation, so it proves nothing that other sessions were not told it either.':
    '助手没有记起同一会话在同一对话里告诉过它的内容，因此其他会话没有得知也证明不了什么。',
  'No fact of the knowledge base was given to ask for.': '没有给出可以询问的知识库内容。',
  'A stranger was told a fact that is meant for one session only.':
    '陌生人得知了只属于某一个会话的内容。',
  'Not even the session that the fact is meant for was told it.':
    '连这条内容所属的会话也没有得知它。',
  'Each fact was told to the session that it is meant for, and to no stranger.':
    '每条内容都只告诉了它所属的会话，没有告诉陌生人。',
  'No message was given that makes the assistant ask a question.': '没有给出能让助手提问的消息。',
  'The message did not make the assistant ask a question and wait.':
    '这条消息没有让助手提问并等待。',
  'The assistant asked the first stranger, but not the session that sent the given message. That message was taken for the answer, or it causes no question.':
    '助手问了第一个陌生人，却没有问发出这条消息的会话。这条消息被当成了回答，或者它不会引起提问。',
  'The assistant first asks everybody, and it asked the stranger too.':
    '助手总是先问每一个人，也问了陌生人。',
  'The message of a stranger was not taken for the answer.': '陌生人的消息没有被当成回答。',
  'The assistant asks everybody the same question.': '助手问每个人同一个问题。',
  'The message of a stranger was taken for the answer to the question that another session was asked.':
    '陌生人的消息被当成了对另一个会话所提问题的回答。',
  'Each session has an access token of its own.': '每个会话都有自己的访问令牌。',
  'All sessions share one access token, as "allowSharedToken" permits. The other layers have to keep them apart.':
    '按 "allowSharedToken" 的许可，所有会话共用一个访问令牌，只能靠其他层来隔离。',

  // Breaches
  'Two conversations of one session were given one upstream conversation.':
    '同一会话的两个对话得到了同一个平台对话。',
  'A conversation that should be new had been used before.': '一个本应全新的对话已被使用过。',
  'A reply was written in an upstream conversation that its session may not read.':
    '一条回复写进了它的会话无权读取的平台对话。',
  'A reply was told what is of another upstream conversation.':
    '一条回复收到了属于另一个平台对话的内容。',
  'A reply was told what is of another chat of its conversation.':
    '一条回复收到了属于同一对话中另一次运行的内容。',
  'A list of older messages held those of another upstream conversation.':
    '历史消息列表里有另一个平台对话的消息。',

  // Causes
  'Not known: the Bot answers from a conversation that is not the one it was given.':
    '未知：智能体的回答来自另一个对话，而不是交给它的那个。',
  'Likely: a conversation node (会话节点) or message node (消息节点) of the chatflow uses one fixed conversation name, or the chatflow is bound to a static conversation (静态会话) of its app. Known: on a Studio all sessions share such a conversation.':
    '很可能：对话流的会话节点或消息节点使用了固定的会话名称，或对话流绑定了应用的静态会话。已知：在 Studio 上，所有会话共用这样的对话。',
  'Likely: the chatflow is bound to a static conversation (静态会话) of its app, and the app does not keep it apart by session_name. Known: a run is in the conversation that its start node names.':
    '很可能：对话流绑定了应用的静态会话，而应用没有按 session_name 隔离它。已知：运行发生在开始节点所指定的对话里。',
  'Likely: the platform finds conversations of an app by name, and ignores session_name. Known: then all sessions share a name that is not unique to one of them, such as "Default" or a static conversation (静态会话).':
    '很可能：平台只按名称查找应用的对话，忽略 session_name。已知：这样一来，凡不是某个会话独有的名称，例如 "Default" 或静态会话，就由所有会话共用。',
  'Known: a Studio finds a conversation by its id and does not check whose it is.':
    '已知：Studio 按 ID 查找对话，不检查它属于谁。',
  "Known: open-source Coze finds a conversation by its id and does not check whose it is. The cloud's documentation says that it checks.":
    '已知：开源版 Coze 按 ID 查找对话，不检查它属于谁。云端的文档称会检查。',
  'Known: a Studio keeps user variables (用户变量) by user_id, and app variables (应用变量) for everybody.':
    '已知：Studio 按 user_id 保存用户变量，应用变量则由所有人共用。',
  'Known: user variables (用户变量) are kept by user_id and by the owner of the token, and app variables (应用变量) for everybody. Likely: this variable is an app variable, or user_id is ignored.':
    '已知：用户变量按 user_id 和令牌的所有者保存，应用变量由所有人共用。很可能：这个变量是应用变量，或 user_id 被忽略。',
  'Known: a Studio has no long-term memory. Likely: a conversation node (会话节点) or message node (消息节点) with one fixed conversation name, an app variable (应用变量) or a database (数据库) keeps what a session said.':
    '已知：Studio 没有长期记忆。很可能：使用固定会话名称的会话节点或消息节点、应用变量或数据库保存了会话说过的内容。',
  'Known: a Studio has no long-term memory. Likely: a workflow that the agent calls, a variable or a database (数据库) keeps what a session said.':
    '已知：Studio 没有长期记忆。很可能：智能体所调用的工作流、变量或数据库保存了会话说过的内容。',
  'Likely: a long-term-memory node (长期记忆节点) that is not isolated by session, a database (数据库) in multi-user mode (多用户模式), or a conversation node (会话节点) with one fixed conversation name. Not known: the documentation does not say by what long-term memory is kept.':
    '很可能：没有按会话隔离的长期记忆节点、多用户模式的数据库，或使用固定会话名称的会话节点。未知：文档没有说明长期记忆按什么保存。',
  'Known: a knowledge base (知识库) has no users, so everybody is told what it holds.':
    '已知：知识库不区分用户，因此会把内容告诉所有人。',
  'Likely: a question node (问答节点) waits for the whole app and not for one conversation, so that the next message of anybody answers it.':
    '很可能：问答节点是为整个应用而不是为某一个对话等待，因此任何人的下一条消息都会被当成回答。',
  'Known: a Studio has no OAuth apps, so one personal token is the identity of all sessions.':
    '已知：Studio 没有 OAuth 应用，因此一个个人令牌就是所有会话的身份。',
  'Likely: the model node (大模型节点) of the chatflow is not given the history of the conversation.':
    '很可能：对话流的大模型节点没有拿到对话历史。',
  'Likely: the Bot is given no earlier rounds of the conversation, or its prompt forbids it to repeat codes.':
    '很可能：智能体没有拿到之前的对话轮次，或它的提示词禁止复述代码。',
  'Known: the assistant asked a question before it answered, so the first message was taken for the answer.':
    '已知：助手在回答之前先提了问题，因此第一条消息被当成了回答。',
  'Not known: the assistant said a code that nobody had told it.':
    '未知：助手说出了一个没有人告诉过它的代码。',
  'Known: the assistant is called with one personal or service token, and the platform takes all sessions for one user.':
    '已知：调用助手用的是同一个个人令牌或服务令牌，平台把所有会话当成一个用户。',

  // Remedies
  'See {0}.': '参见 {0}。',
  'Take the assistant out of service. Look for the log ids of this report in the log of the Studio.':
    '请停用该助手，并在 Studio 的日志里查找本报告的日志 ID。',
  "Take the assistant out of service. Send this report with its log ids to the platform's support.":
    '请停用该助手，并把本报告连同日志 ID 发给平台的技术支持。',
  'In the chatflow, set the conversation name (会话名称) of every conversation and message node to the start parameter CONVERSATION_NAME, remove the static conversation, and publish. Then probe again.':
    '在对话流里，把每个会话节点和消息节点的会话名称都设为开始参数 CONVERSATION_NAME，移除静态会话并发布，然后重新探测。',
  'In the app, remove the static conversation name (静态会话名称) from the start node and from conversation nodes, and publish. Then probe again. If it still leaks, use the Bot strategy: each of its conversations is created by a call.':
    '在应用里，从开始节点和会话节点移除静态会话名称并发布，然后重新探测。如果仍有泄漏，请改用智能体方式：它的每个对话都由一次调用创建。',
  'The gateway needs no change: its names cannot be guessed. Let no node of the workflow and no other client of the app use a fixed conversation name (会话名称).':
    '网关无需改动：它的名称无法猜到。请不要让工作流的任何节点或应用的其他客户端使用固定的会话名称。',
  'The gateway needs no change: it takes no conversation id from its callers. Let no other client of the assistant take a conversation_id from its users.':
    '网关无需改动：它不接受调用者给出的对话 ID。请不要让助手的其他客户端接受用户给出的 conversation_id。',
  'Make the variables per user (用户级), or remove them, and publish. Then probe again.':
    '把变量改为用户级，或移除它们，然后发布并重新探测。',
  'Make the variable per user (用户级), or remove it, and publish. Then probe again. Send the report to the support of the platform if a user variable still leaks.':
    '把变量改为用户级，或移除它，然后发布并重新探测。如果用户变量仍有泄漏，请把报告发给平台的技术支持。',
  'In the chatflow, name the conversations (会话名称) of conversation and message nodes by the start parameter CONVERSATION_NAME, make variables per user (用户级), and filter databases (数据库) by the session. Publish, delete what the shared conversation or database holds, and probe again.':
    '在对话流里，用开始参数 CONVERSATION_NAME 作为会话节点和消息节点的会话名称，把变量改为用户级，并按会话筛选数据库。发布，删除共用的对话或数据库里的内容，然后重新探测。',
  'In the workflows of the agent, name the conversations (会话名称) of conversation and message nodes by the start parameter CONVERSATION_NAME, make variables per user (用户级), and filter databases (数据库) by the session. Publish, delete what the shared conversation or database holds, and probe again.':
    '在智能体的工作流里，用开始参数 CONVERSATION_NAME 作为会话节点和消息节点的会话名称，把变量改为用户级，并按会话筛选数据库。发布，删除共用的对话或数据库里的内容，然后重新探测。',
  'In the long-term-memory node switch on "isolate by session" (按会话隔离); if there is no such switch, remove the node, or the long-term memory (长期记忆) of the Bot. Put databases into single-user mode (单用户模式). Feed the names of conversation nodes from CONVERSATION_NAME. Publish, delete in the console what was kept, and probe again.':
    '在长期记忆节点里打开“按会话隔离”；如果没有这个开关，就移除该节点，或移除智能体的长期记忆。把数据库设为单用户模式，会话节点的名称取自 CONVERSATION_NAME。发布，在控制台删除已保存的内容，然后重新探测。',
  'Filter its search by session, if the knowledge node can (知识库 session_name 筛选): compare with the start parameter or variable SESSION_NAME. Otherwise take personal facts out of the knowledge base, and keep them in a database (数据库) in single-user mode (单用户模式).':
    '如果知识库节点支持 session_name 筛选，就按会话筛选检索：与开始参数或变量 SESSION_NAME 比较。否则请把个人内容移出知识库，存进单用户模式的数据库。',
  'Give each session a conversation of its own (see the conversation layer), or let the assistant ask in the text of an answer and remove the question node. Publish, and probe again.':
    '让每个会话有自己的对话（见“对话”一层），或让助手在回答的文本里提问并移除问答节点。发布，然后重新探测。',
  'Nothing needs to be changed here. Conversations and variables keep the sessions apart, and the findings of those layers say whether they do.':
    '这里无需改动。会话靠对话和变量来隔离，是否隔离见那些层的结果。',
  'Switch on the chat history (对话历史) in the model node, and publish. Then probe again. A chatflow that never recalls anything by design can stay INCONCLUSIVE.':
    '在大模型节点里打开对话历史并发布，然后重新探测。设计上从不回忆内容的对话流可以一直无法判定。',
  'Give its model rounds of context (携带上下文轮数), and publish. Then probe again. A Bot that never recalls anything by design can stay INCONCLUSIVE.':
    '为它的模型设置携带上下文轮数并发布，然后重新探测。设计上从不回忆内容的智能体可以一直无法判定。',
  'Set "probe.answers" of the assistant to what answers its questions, with {message} where the message belongs. Then probe again.':
    '把该助手的 "probe.answers" 设为能回答其提问的内容，消息的位置写 {message}，然后重新探测。',
  "Probe again. If it happens again, look at what the assistant is given with each message, and send this report to the platform's support.":
    '请重新探测。如果再次出现，请检查每条消息随附给助手的内容，并把本报告发给平台的技术支持。',
  'Create an OAuth app of type JWT (服务类应用) and use it as "credentials" instead of the token: then each session has a token with its own session_name. Probe again.':
    '创建 JWT 类型的 OAuth 应用（服务类应用），用它代替令牌作为 "credentials"：这样每个会话都有带自己 session_name 的令牌。然后重新探测。',

  'After the change, probe the assistant through the running gateway, and clear the breach with the mutation clearQuarantine.':
    '改好之后，请通过运行中的网关重新探测该助手，再用 mutation clearQuarantine 解除停用。',

  // What keys a layer
  'access token: minted for the name of the session': '访问令牌：按会话名签发',
  'nothing: all sessions share one token': '无：所有会话共用一个令牌',
  'conversation_id: created for it': 'conversation_id：专门创建',
  'conversation_id: created for it under an unguessable name':
    'conversation_id：以无法猜到的名称专门创建',
  '{0}: an unguessable name': '{0}：无法猜到的名称',
  '{0}: the name of the session': '{0}：会话名',

  // The steps of a probe
  '{0} as a workflow': '{0}，作为对话流',
  '{0} as a bot': '{0}，作为智能体',
  "trial {0} of {1}: two sessions are told a secret each, and are asked for the other's":
    '第 {0} 轮，共 {1} 轮：告诉两个会话各自的秘密，再互相打听',
  'knowledge: its owner and a stranger ask for a fact': '知识库：内容的主人和陌生人各问一次',
  'pending question: one session is asked, and another one sends a message':
    '待回答的问题：助手问一个会话，另一个会话发消息',
  'deleting what the probe has made on the platform': '正在删除探测在平台上创建的内容',

  // Why a reply was driven as it was
  'the conversation was begun by it': '这个对话由它开始',
  'the one that began the conversation is not configured': '开始这个对话的方式已不在配置中',
  'the workflow is in service': '对话流在服务中',
  configured: '按配置',
  'the workflow is out of service: {0}': '对话流已停用：{0}',
  'the bot is out of service: {0}': '智能体已停用：{0}',

  // What the callers of the demo say to the stand-in for Coze, which understands both
  'My secret is swordfish.': '我的秘密是剑鱼。',
  'My secret is marigold.': '我的秘密是万寿菊。',
  'What is my secret?': '我的秘密是什么？',
  'my secret is swordfish': '我的秘密是剑鱼',
  'what is my secret?': '我的秘密是什么？',
  '/think Let me see.\n/long 200': '/think 让我想想。\n/long 200',
  '/choose Which size? | small | medium | large': '/choose 要多大的？ | 小 | 中 | 大',
  '/form Where to? | city:string! | nights:integer':
    '/form 去哪里？ | city:string! | nights:integer',
  '/ask Which parcel, Alice?': '/ask 哪个包裹，Alice？',
  'Good morning.': '早上好。',
}

/** Every English sentence that has a translation, the longest first: one may begin as another does. */
export const sentences = Object.entries(chinese)
  .map(([english, translation]) => ({ pattern: patternOf(english), translation }))
  .toSorted((one, other) => other.pattern.source.length - one.pattern.source.length)

/** Returns undefined if a part of the text has no translation. */
export function toChinese(text: string): string | undefined {
  let translated = ''
  for (let rest = text; rest !== '';) {
    const found = sentences.find(({ pattern }) => pattern.test(rest))
    if (!found) return undefined
    const [whole = '', ...values] = found.pattern.exec(rest) ?? []
    translated += found.translation.replace(/\{(\d)\}/g, (_, at) => values[Number(at)] ?? '')
    rest = rest.slice(whole.length)
  }
  return translated
}

function patternOf(english: string): RegExp {
  const literal = english.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`^${literal.replace(/\\\{\d\\\}/g, String.raw`(\S+)`)}(?: |$)`)
}
