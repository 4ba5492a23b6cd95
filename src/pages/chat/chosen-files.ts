import type { Attachment } from '../../client/client.ts'
import { redraw } from '../page.ts'

/** A file on its way to the gateway, or there. */
export interface ChosenFile {
  readonly name: string
  readonly percent: number
  readonly attachment: Attachment | undefined
}

/** The files that go with the next message. */
export interface ChosenFiles {
  readonly list: readonly ChosenFile[]
  add(files: Iterable<File>): Promise<void>
  remove(file: ChosenFile): void
  /** Resolves with the files when each is there, or could not be sent. */
  whenThere(): Promise<readonly ChosenFile[]>
}

/** Returns undefined where the file could not be sent. */
type SendFile = (
  file: File,
  onProgress: (progress: { readonly sentBytes: number; readonly totalBytes: number }) => void,
) => Promise<Attachment | undefined>

export function createChosenFiles(send: SendFile): ChosenFiles {
  let list: readonly ChosenFile[] = []
  let adding: Promise<unknown> = Promise.resolve()

  function set(next: readonly ChosenFile[]): void {
    list = next
    redraw()
  }

  async function addOne(file: File): Promise<void> {
    let now: ChosenFile = { name: file.name, percent: 0, attachment: undefined }
    const become = (next: ChosenFile) => {
      set(list.map((one) => (one === now ? next : one)))
      now = next
    }
    set([...list, now])
    const attachment = await send(file, ({ sentBytes, totalBytes }) =>
      become({ ...now, percent: Math.floor((sentBytes / totalBytes) * 100) }),
    )
    if (attachment) become({ ...now, percent: 100, attachment })
    else set(list.filter((one) => one !== now))
  }

  return {
    get list() {
      return list
    },
    async add(files) {
      // The list of a drop is emptied after its event.
      const chosen = [...files]
      adding = adding.then(async () => {
        for (const file of chosen) await addOne(file)
      })
      await adding
    },
    remove: (file) => set(list.filter((one) => one !== file)),
    async whenThere() {
      await adding
      return list
    },
  }
}
