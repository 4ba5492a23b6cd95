import type { Answer, Context, OwnedCall } from '../context.ts'
import { ApiError } from '../call-errors.ts'
import { readForm, type StoredFile } from '../files.ts'

/** `POST /v1/files/upload`: a form with one part, `file`. */
export async function uploadCloudFile(call: OwnedCall, context: Context): Promise<Answer> {
  const { name, bytes } = await readForm(call, context.settings)
  const file = context.files.add({ owner: call.principal, name, bytes })
  return { data: fileView(file) }
}

/** `GET /v1/files/retrieve` */
export function retrieveFile({ query, principal }: OwnedCall, { files }: Context): Answer {
  const file = files.find(query.get('file_id') ?? '', principal)
  if (file === undefined) throw new ApiError(4200, 'file not found')
  return { data: fileView(file) }
}

function fileView({ id, name, bytes, createdAt }: StoredFile): object {
  return { id, bytes, created_at: createdAt, file_name: name }
}
