/** What an attribute may be: a text, a switch, a handler of an event (`onclick`), or left out. */
type AttributeValue = string | number | boolean | undefined | Listener
type Listener = (event: Event) => void
type Attributes = Readonly<Record<string, AttributeValue>>

/** The description of an element. Equal keys among neighbours are the same element at the next rendering. */
export interface View {
  readonly tag: string
  readonly attributes: Attributes
  readonly children: readonly Child[]
}
export type Child = View | string | false | null | undefined

/** Describes an element. The attribute `key` names it among its neighbours, and `value` and
 * `checked` are those of a field. */
export function el(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): View {
  return { tag, attributes, children }
}

const svg = 'http://www.w3.org/2000/svg'
const shown = new WeakMap<Node, View>()

/** Makes the children of an element as described, and keeps what is there: its focus, its scrolling, what is typed in it. */
export function render(parent: Element, children: readonly Child[]): void {
  const wanted = children.filter((child) => child !== false && child != null)
  const keys = new Set(wanted.map(keyOf))
  const kept = new Map<AttributeValue, Element>()
  for (const node of Array.from(parent.childNodes)) {
    const view = shown.get(node)
    const key = view && keyOf(view)
    if (key === undefined) continue
    if (keys.has(key) && node instanceof Element) kept.set(key, node)
    else node.remove()
  }
  let next = parent.firstChild
  for (const child of wanted) {
    const node = typeof child === 'string' ? textNode(next, child) : element(next, child, parent)
    if (node === next) next = node.nextSibling
    else parent.insertBefore(node, next)
  }
  while (next) {
    const gone = next
    next = gone.nextSibling
    gone.remove()
  }

  function element(at: ChildNode | null, view: View, within: Element): ChildNode {
    const key = keyOf(view)
    const old = key === undefined ? at : (kept.get(key) ?? null)
    const before = old ? shown.get(old) : undefined
    const isSame = before?.tag === view.tag && keyOf(before) === key
    const found =
      isSame && old instanceof Element
        ? old
        : document.createElementNS(view.tag === 'svg' ? svg : within.namespaceURI, view.tag)
    shown.set(found, view)
    render(found, view.children)
    applyAttributes(found, isSame ? before.attributes : {}, view.attributes)
    return found
  }
}

function keyOf(child: Child): AttributeValue {
  return typeof child === 'object' ? child?.attributes['key'] : undefined
}

function textNode(at: ChildNode | null, text: string): ChildNode {
  if (!(at instanceof Text)) return document.createTextNode(text)
  if (at.data.length < text.length && text.startsWith(at.data)) {
    // What is selected in a growing text stays selected.
    at.appendData(text.slice(at.data.length))
  } else if (at.data !== text) at.data = text
  return at
}

function applyAttributes(element: Element, before: Attributes, now: Attributes): void {
  for (const name of Object.keys({ ...before, ...now })) {
    const value = now[name]
    // The user may have changed these meanwhile.
    if (name === 'value' || name === 'checked') {
      if (Reflect.get(element, name) !== value) Reflect.set(element, name, value)
      continue
    }
    if (name === 'key' || value === before[name]) continue
    if (name.startsWith('on')) Reflect.set(element, name, value ?? null)
    else if (name === 'open') Reflect.set(element, name, value)
    else if (value === undefined || value === false) element.removeAttribute(name)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
}
