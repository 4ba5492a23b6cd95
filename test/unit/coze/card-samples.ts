/** Cards as a chatflow sends them (docs/coze-platform.md#questions-and-forms): JSON texts inside JSON, or, where a server does not bother, objects. */

type Nesting = 'texts' | 'objects'

const around = {
  card_type: 3,
  content_type: 50,
  response_type: 'card',
  template_url: '',
  data: '{}',
}

function card(info: object, nesting: Nesting) {
  const inner = nesting === 'texts' ? JSON.stringify(info) : info
  return { ...around, x_properties: { workflow_card_info: inner } }
}

export function questionCard(nesting: Nesting = 'texts') {
  const data = { Title: 'Which one?', Options: [{ name: 'Left' }, { name: 'Right' }] }
  const nested = nesting === 'texts' ? JSON.stringify(data) : data
  return card({ card_type: 'QUESTION', question_card_data: nested }, nesting)
}

export function inputCard(nesting: Nesting = 'texts') {
  const fields = [
    { type: 'string', name: 'city', required: true },
    { type: 'integer', name: 'days', required: false },
  ]
  const nested = nesting === 'texts' ? JSON.stringify(fields) : fields
  return card({ card_type: 'INPUT', input_card_data: nested }, nesting)
}
