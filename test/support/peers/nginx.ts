/** Debian's nginx beside us, serving files over TLS with one worker: its own configuration, log and directory. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, startDaemon } from './run.ts'

export interface NginxOptions {
  /** An empty directory that others may enter. */
  readonly directory: string
  /** A loopback address that the certificate names. */
  readonly host: string
  /** PEM files. */
  readonly tls: { readonly certificate: string; readonly key: string }
  /** What is served, by path. */
  readonly files: Readonly<Record<string, Uint8Array>>
  /** Added to every answer, besides what nginx says of a file. */
  readonly fields?: Readonly<Record<string, string>>
  readonly type: string
}

export interface Nginx extends AsyncDisposable {
  readonly pid: number
  readonly host: string
  readonly port: number
}

function configuration({ directory, tls, type, fields = {} }: NginxOptions, listen: string): string {
  return `
daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log;
events { worker_connections 512; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=100;
  keepalive_requests 100000000;
  default_type ${type};
  types { }
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server {
    listen ${listen} ssl;
    ssl_certificate ${tls.certificate};
    ssl_certificate_key ${tls.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    root ${directory}/files;
    ${Object.entries(fields)
      .map(([name, value]) => `add_header ${name} "${value}";`)
      .join('\n    ')}
  }
}
`
}

export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const { directory, host } = options
  const port = await freePort(host)
  const files = join(directory, 'files')
  await mkdir(files, { recursive: true })
  for (const [path, content] of Object.entries(options.files)) await writeFile(join(files, path), content)
  const file = join(directory, 'nginx.conf')
  await writeFile(file, configuration(options, `${host}:${port}`))
  const daemon = await startDaemon('/usr/sbin/nginx', ['-p', directory, '-c', file], {
    ready: [{ host, port }],
    log: () => readFile(join(directory, 'error.log'), 'utf8').catch(() => ''),
  })
  return { pid: daemon.pid, host, port, [Symbol.asyncDispose]: () => daemon.stop() }
}
