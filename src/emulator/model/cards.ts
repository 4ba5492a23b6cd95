/** A question of the model to its user: plain, with options, or with the fields of an input form. */
export interface ChatQuestion {
  readonly text: string
  readonly options: readonly string[]
  readonly fields: readonly {
    readonly name: string
    readonly type: string
    readonly required: boolean
  }[]
}

/** A question as a card, or an input form if it has fields (docs/coze-platform.md#questions-and-forms). */
export function questionCard({ text, options, fields }: ChatQuestion): string {
  return card(
    fields.length > 0
      ? { card_type: 'INPUT', input_card_data: fields }
      : {
          card_type: 'QUESTION',
          question_card_data: { Title: text, Options: options.map((name) => ({ name })) },
        },
  )
}

/** A card that only shows something. */
export function displayCard(text: string): string {
  return card({ card_type: 'DISPLAY', display_card_data: { text } })
}

/** A question as text, where there are no cards. */
export function questionText({ text, options, fields }: ChatQuestion): string {
  const wanted = fields.map(({ name, type }) => `${name}: ${type}`)
  return [text, ...options.map((option) => `- ${option}`), ...wanted].join('\n')
}

function card(info: object): string {
  const text = JSON.stringify({
    card_type: 3,
    content_type: 50,
    response_type: 'card',
    template_id: 0,
    template_url: '',
    data: JSON.stringify(info),
    x_properties: { workflow_card_info: JSON.stringify(info) },
  })
  // Beyond what a JavaScript number holds exactly, as on the platform.
  return text.replace('"template_id":0', '"template_id":7383997384420262000')
}
