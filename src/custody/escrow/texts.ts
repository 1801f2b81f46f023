/**
 * What owners are told before they decide, where the operator has not written texts of their own. They say what consent needs to
 * be one: who can read the mail, when, how one sees it, and what it means not to agree.
 */

export const CONSENT_TEXT = `ESCROW: MAY YOUR PROVIDER OPEN YOUR MAIL?

Your mail is locked with a key that only your password opens. If you agree to
escrow, a second lock is put on that key. It is opened with a master key that
your provider keeps away from the mail server, and that only few people can use.

If you agree:
- With the master key your provider can make a new recovery code for your account
  WITHOUT your password and WITHOUT asking you, and whoever has that code can read
  ALL your mail: what is there now and what arrives later.
- The provider does that to help you when you have lost your password and your
  recovery code, or when the law obliges the provider to.
- Each use has a written reason. You see date and reason the next time you log
  in, in a message in your inbox, and for ever with \`letterlock escrow status\`.
- You can take your consent back at any time (\`letterlock escrow opt-out\`). From
  then on the master key opens nothing that arrives later. Copies of the server's
  disk that were made while you agreed can still be opened with it, as they were then.

If you do not agree:
- Nobody but you can read your stored mail, your provider included.
- If you forget your password and lose your recovery code, your past mail can
  NEVER be read again, by anybody.

You may use your account either way.
`

export const OPT_OUT_TEXT = `ESCROW: TAKING YOUR CONSENT BACK

The second lock is taken off, and the keys that your provider made for you are
renewed, so that the provider's master key opens nothing that arrives from now on.

Please know:
- If you forget your password and lose your recovery code, your past mail can
  NEVER be read again, by anybody. Your provider can then give you an empty
  account, and nothing more. Have your recovery code at hand, on paper.
- Copies of the server's disk that were made while you agreed can still be opened
  with the master key, as they were then. No program can undo that.
- A key that you brought yourself is in such copies too, and is not renewed. If
  you want to be safe from them, make another one and import it.
`
