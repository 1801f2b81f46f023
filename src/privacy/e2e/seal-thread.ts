/** The thread's own side: does what it is asked and hands the result over. An error ends it. */
import { parentPort } from 'node:worker_threads'
import { payloadOf } from '#formats/pgp-mime/pgp-mime.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { memoryOf, type SealAnswer, type SealTask } from './seal-apart.ts'
import { addressForm, openForm, sealPayload } from './sealed-form.ts'

let kept: Bytes = new Uint8Array(0)

function answerTo(task: SealTask): SealAnswer {
  switch (task.task) {
    case 'payload':
      kept = task.message
      return { octets: payloadOf(kept, 'travel'), sessionKey: null }
    case 'seal': {
      try {
        const { content, sessionKey } = sealPayload({ ...task, message: kept })
        return { octets: content, sessionKey }
      } finally {
        for (const readable of [kept, task.payload]) wipe(readable)
      }
    }
    case 'address': {
      const octets = addressForm(task.content, task.sessionKey, task.to)
      wipe(task.sessionKey)
      return { octets, sessionKey: null }
    }
    case 'open': {
      const octets = openForm(task.content, task.sessionKey)
      wipe(task.sessionKey)
      return { octets, sessionKey: null }
    }
  }
}

parentPort?.on('message', (task: SealTask) => {
  const answer = answerTo(task)
  parentPort?.postMessage(answer, memoryOf(answer))
})
