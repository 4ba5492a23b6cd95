import type { Answer, Context, OwnedCall } from '../context.ts'
import { ApiError } from '../call-errors.ts'
import { readForm } from '../files.ts'
import { badRequest } from './refusals.ts'

/** `POST /v1/files/upload` */
export async function uploadStudioFile(call: OwnedCall, context: Context): Promise<Answer> {
  try {
    const { name, bytes } = await readForm(call, context.settings)
    const file = context.files.add({ owner: call.principal, name, bytes })
    const uri = `tos-cn-i-v4nquku3lp/${file.id}`
    return {
      data: {
        uri,
        bytes,
        created_at: file.createdAt,
        file_name: name,
        url: `http://studio.example/${uri}`,
        id: file.id,
      },
      code: 0,
      msg: '',
      BaseResp: null,
    }
  } catch (error) {
    throw error instanceof ApiError ? badRequest(error.message) : error
  }
}
