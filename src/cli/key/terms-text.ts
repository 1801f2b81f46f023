/** What an owner is told before the provider makes the key, where the operator has not written a text of their own. */
export const TERMS_TEXT = `YOUR KEY: WHAT IT IS AND WHO CAN USE IT

Your mail is sealed with OpenPGP before it is stored. For that you need a pair of
keys: a certificate that everybody may have, and a secret key that opens your mail.
You have none yet. If you agree, your provider makes them for you.

- The secret key is stored on the server, locked with your password. While you are
  logged in it is unlocked in a process of its own; otherwise nobody can use it,
  your provider included.
- Your certificate, with your addresses in it, is published: others encrypt to it
  and check your signatures with it.
- If you forget your password, your recovery code opens your mail. Without both,
  past mail can NEVER be read again, by anybody.
- Whoever can change the program that runs on the server could read your mail
  while you are logged in. If you must not rely on that, keep your key on your own
  device: \`letterlock key import --device\`.
- You can take the key with you (\`letterlock key export\`), replace it (\`key
  rotate\`), revoke it (\`key revoke\`) or bring your own (\`key import\`) at any time.
`
