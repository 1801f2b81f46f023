/** The directory in one SQL database. */
import type { Transaction } from 'kysely'
import { type Address, formatAddress, parseAddress } from '#formats/message/address.ts'
import type { Bytes } from '#lib/bytes.ts'
import { openSqlite, type SqliteDatabase } from '#lib/sqlite.ts'
import { addressKey, domainKey } from './address-key.ts'
import {
  type CertificateValues,
  changeCertificate,
  changeUse,
  insertCertificate,
  readCertificates,
} from './certificate-rows.ts'
import {
  type Account,
  type AccountId,
  type AccountState,
  AddressTaken,
  type CertificateUse,
  type Directory,
  type NewCertificate,
  type Route,
  type StoredCertificate,
  UnknownAccount,
  UnknownDomain,
  type WithoutKey,
  type WithoutKeyPolicies,
} from './directory.ts'
import { policyOf } from './policy.ts'
import { readPolicies } from './policy-rows.ts'
import { createRouter, type Router, toAccount, toAddress } from './router.ts'
import { type DirectorySchema, migrations } from './schema.ts'

type Change = Transaction<DirectorySchema>

const ANSWERS_KEPT = 10_000

class SqlDirectory implements Directory {
  readonly #db: SqliteDatabase<DirectorySchema>
  readonly #router: Router
  /** What each message asks again, of its recipients and its author, as of a revision of the file. */
  readonly #answers = new Map<string, unknown>()
  #answersRevision = ''

  constructor(db: SqliteDatabase<DirectorySchema>) {
    this.#db = db
    this.#router = createRouter(db.query)
  }

  revision(): string {
    return this.#db.revision()
  }

  domains(): Promise<readonly string[]> {
    return this.#remembered('domains', async () => {
      const rows = await this.#db.query.selectFrom('domain').select('domain').orderBy('position').execute()
      return rows.map((row) => row.domain)
    })
  }

  async addDomain(domain: string): Promise<void> {
    await this.#db.write(async (change) => {
      const last = await change
        .selectFrom('domain')
        .select((eb) => eb.fn.max('position').as('position'))
        .executeTakeFirst()
      await change
        .insertInto('domain')
        .values({
          domain_key: domainKey(domain),
          domain: domain.toLowerCase(),
          position: Number(last?.position ?? 0) + 1,
          without_key: null,
        })
        .onConflict((conflict) => conflict.column('domain_key').doNothing())
        .execute()
    })
  }

  /** The oldest gives way: strangers may ask for anything. */
  async #remembered<T>(question: string, ask: () => Promise<T>): Promise<T> {
    const revision = this.#db.revision()
    if (revision !== this.#answersRevision) this.#answers.clear()
    this.#answersRevision = revision
    if (this.#answers.has(question)) return this.#answers.get(question) as T
    const answer = await ask()
    if (this.#answersRevision !== revision || this.#db.revision() !== revision) return answer
    if (this.#answers.size >= ANSWERS_KEPT) this.#answers.delete(this.#answers.keys().next().value!)
    this.#answers.set(question, answer)
    return answer
  }

  route(address: Address): Promise<Route> {
    return this.#remembered(`route ${address.local}@${address.domain}`, () => this.#router.route(address))
  }

  async account(id: AccountId): Promise<Account | null> {
    const row = await this.#db.query.selectFrom('account').selectAll().where('account_id', '=', id).executeTakeFirst()
    return row ? toAccount(row) : null
  }

  async accountByLogin(user: string): Promise<Account | null> {
    const address = parseAddress(user)
    if (!address) return null
    const named = await this.#router.accountNamed(address)
    if (named) return named
    const targets = await this.#router.targets(addressKey(address))
    return targets.length === 1 ? this.#router.accountNamed(targets[0]!) : null
  }

  async accounts(): Promise<readonly Account[]> {
    const rows = await this.#db.query
      .selectFrom('account')
      .selectAll()
      .orderBy('created')
      .orderBy('account_id')
      .execute()
    return rows.map(toAccount)
  }

  addresses(id: AccountId): Promise<readonly Address[]> {
    return this.#remembered(`addresses ${id}`, () => this.#addressesOf(id))
  }

  async #addressesOf(id: AccountId): Promise<readonly Address[]> {
    const own = await this.account(id)
    if (!own) return []
    const aliases = await this.#db.query
      .selectFrom('alias_target')
      .innerJoin('address', 'address.address_key', 'alias_target.address_key')
      .select(['address.local', 'address.domain'])
      .where('alias_target.target_key', '=', addressKey(own.address))
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('alias_target as other')
              .select('other.position')
              .whereRef('other.address_key', '=', 'alias_target.address_key')
              .whereRef('other.target_key', '!=', 'alias_target.target_key'),
          ),
        ),
      )
      .orderBy('address.address_key')
      .execute()
    return [own.address, ...aliases.map(toAddress)]
  }

  async addAccount(account: Account, certificate: NewCertificate | null): Promise<void> {
    await this.#db.write(async (change) => {
      await checkFree(change, account.address)
      await change
        .insertInto('account')
        .values({
          account_id: account.id,
          ...account.address,
          domain_key: domainKey(account.address.domain),
          state: account.state,
          created: account.created,
          quota: account.quota,
          without_key: null,
        })
        .execute()
      await change
        .insertInto('address')
        .values({ address_key: addressKey(account.address), ...account.address, account_id: account.id })
        .execute()
      if (certificate) await insertCertificate(change, account.id, certificate)
    })
  }

  async addAlias(alias: Address, targets: readonly Address[]): Promise<void> {
    const key = addressKey(alias)
    const distinct = new Map(targets.map((target) => [addressKey(target), target]))
    await this.#db.write(async (change) => {
      await checkFree(change, alias)
      await change
        .insertInto('address')
        .values({ address_key: key, ...alias, account_id: null })
        .execute()
      const rows = [...distinct].map(([target_key, { local, domain }], position) => ({
        address_key: key,
        position,
        target_key,
        local,
        domain,
      }))
      if (rows.length > 0) await change.insertInto('alias_target').values(rows).execute()
    })
  }

  async removeAlias(alias: Address): Promise<void> {
    await this.#db.write((change) =>
      change
        .deleteFrom('address')
        .where('address_key', '=', addressKey(alias))
        .where('account_id', 'is', null)
        .execute(),
    )
  }

  async aliases(): Promise<readonly { alias: Address; targets: readonly Address[] }[]> {
    const rows = await this.#db.query
      .selectFrom('address')
      .leftJoin('alias_target', 'alias_target.address_key', 'address.address_key')
      .select(['address.address_key as key', 'address.local', 'address.domain'])
      .select(['alias_target.local as target_local', 'alias_target.domain as target_domain'])
      .where('address.account_id', 'is', null)
      .orderBy('address.address_key')
      .orderBy('alias_target.position')
      .execute()
    const found = new Map<string, { alias: Address; targets: Address[] }>()
    for (const { key, local, domain, target_local, target_domain } of rows) {
      const one = found.get(key) ?? { alias: { local, domain }, targets: [] }
      found.set(key, one)
      if (target_local !== null && target_domain !== null) {
        one.targets.push({ local: target_local, domain: target_domain })
      }
    }
    return [...found.values()]
  }

  setState(id: AccountId, state: AccountState): Promise<void> {
    return this.#update(id, { state })
  }

  setQuota(id: AccountId, limit: number | null): Promise<void> {
    return this.#update(id, { quota: limit })
  }

  async #update(
    id: AccountId,
    values: { state?: AccountState; quota?: number | null; without_key?: WithoutKey | null },
  ): Promise<void> {
    await this.#db.write(async (change) => {
      await checkThere(change, id)
      await change.updateTable('account').set(values).where('account_id', '=', id).execute()
    })
  }

  async removeAccount(id: AccountId): Promise<void> {
    await this.#db.write(async (change) => {
      await checkThere(change, id)
      await change.deleteFrom('account').where('account_id', '=', id).execute()
    })
  }

  certificates(id: AccountId): Promise<readonly StoredCertificate[]> {
    return readCertificates(this.#db.query, id)
  }

  async addCertificate(id: AccountId, certificate: NewCertificate): Promise<void> {
    await this.#db.write(async (change) => {
      await checkThere(change, id)
      await insertCertificate(change, id, certificate)
    })
  }

  async useCertificate(id: AccountId, fingerprint: string, use: CertificateUse): Promise<void> {
    const known = await this.certificates(id)
    const one = known.find((certificate) => certificate.fingerprint === fingerprint)
    if (one?.use === use && one === known[0]) return
    await this.#db.write(async (change) => {
      await checkThere(change, id)
      await changeUse(change, id, { fingerprint, use })
    })
  }

  replaceCertificate(
    id: AccountId,
    fingerprint: string,
    { certificate, custody }: Pick<StoredCertificate, 'certificate' | 'custody'>,
  ): Promise<void> {
    return this.#changeCertificate(id, fingerprint, { certificate, custody })
  }

  revokeCertificate(id: AccountId, fingerprint: string, revocation: Bytes): Promise<void> {
    return this.#changeCertificate(id, fingerprint, { revocation })
  }

  async #changeCertificate(id: AccountId, fingerprint: string, values: CertificateValues): Promise<void> {
    await this.#db.write(async (change) => {
      await checkThere(change, id)
      await changeCertificate(change, id, { fingerprint, values })
    })
  }

  policy(id: AccountId): Promise<WithoutKey | null> {
    return this.#remembered(`policy ${id}`, async () => {
      const row = await this.#db.query
        .selectFrom('account')
        .innerJoin('domain', 'domain.domain_key', 'account.domain_key')
        .select(['account.without_key as own', 'domain.without_key as shared'])
        .where('account.account_id', '=', id)
        .executeTakeFirst()
      return row ? policyOf(row.own, row.shared) : null
    })
  }

  domainPolicy(domain: string): Promise<WithoutKey | null> {
    return this.#remembered(`domain policy ${domainKey(domain)}`, async () => {
      const row = await this.#db.query
        .selectFrom('domain')
        .select('without_key')
        .where('domain_key', '=', domainKey(domain))
        .executeTakeFirst()
      return row?.without_key ?? null
    })
  }

  setAccountPolicy(id: AccountId, policy: WithoutKey | null): Promise<void> {
    return this.#update(id, { without_key: policy })
  }

  async setDomainPolicy(domain: string, policy: WithoutKey | null): Promise<void> {
    await this.#db.write(async (change) => {
      const changed = await change
        .updateTable('domain')
        .set({ without_key: policy })
        .where('domain_key', '=', domainKey(domain))
        .executeTakeFirst()
      if (changed.numUpdatedRows === 0n) throw new UnknownDomain(`${domain} is not a domain of this server`)
    })
  }

  policies(): Promise<WithoutKeyPolicies> {
    return readPolicies(this.#db.query)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db[Symbol.asyncDispose]()
  }
}

async function checkFree(change: Change, address: Address): Promise<void> {
  const domain = await change
    .selectFrom('domain')
    .select('domain')
    .where('domain_key', '=', domainKey(address.domain))
    .executeTakeFirst()
  if (!domain) throw new UnknownDomain(`${address.domain} is not a domain of this server`)
  const taken = await change
    .selectFrom('address')
    .select('address_key')
    .where('address_key', '=', addressKey(address))
    .executeTakeFirst()
  if (taken) throw new AddressTaken(`${formatAddress(address)} is taken`)
}

async function checkThere(change: Change, id: AccountId): Promise<void> {
  const found = await change.selectFrom('account').select('state').where('account_id', '=', id).executeTakeFirst()
  if (!found) throw new UnknownAccount(`there is no account ${id}`)
}

/** Opens or creates the file. Throws NewerSchema, or SQLite's error when it is not a database. */
export async function openDirectory(path: string): Promise<Directory> {
  return new SqlDirectory(await openSqlite<DirectorySchema>({ path, migrations }))
}
