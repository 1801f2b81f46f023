<?php
/** What the PHP scripts share: warnings are errors, and what is not as expected is told and ends with status 1. */
error_reporting(E_ALL);
set_error_handler(function (int $level, string $text, string $file, int $line): bool {
    if (!(error_reporting() & $level)) return false;
    throw new ErrorException($text, 0, $level, $file, $line);
});

$failures = 0;

function expect(string $what, mixed $got, mixed $wanted): void
{
    if ($got == $wanted) return;
    $GLOBALS['failures']++;
    fwrite(STDERR, "$what: got " . json_encode($got) . ', wanted ' . json_encode($wanted) . "\n");
}

register_shutdown_function(function (): void {
    if ($GLOBALS['failures'] > 0) exit(1);
});

/** The file that the first argument names: host, port, user, password, ca. */
$server = json_decode(file_get_contents($argv[1]), true);

/** With parts in two encodings, a name by RFC 2231, and a message inside. */
$parts = implode("\r\n", [
    'From: =?utf-8?Q?J=C3=BCrgen?= <j@beta.test>', 'To: Team: carol@beta.test, dave@beta.test;, a@alpha.test', 'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=',
    'Message-ID: <1@beta.test>', 'Date: Tue, 3 Nov 2020 23:30:00 -0800', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=b', '',
    '--b', 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: base64', '', chunk_split(base64_encode("Hällo wörld\r\nsecond line"), 76, ''),
    '--b', 'Content-Type: text/plain; charset=iso-8859-1', 'Content-Transfer-Encoding: quoted-printable', "Content-Disposition: attachment; filename*=utf-8''na%C3%AFve.txt", '',
    'K=E4se =', 'more', '--b', 'Content-Type: message/rfc822', 'Content-Disposition: attachment; filename="a \"b\".eml"', '', 'Subject: inner', 'Content-Type: multipart/alternative; boundary=c', '',
    '--c', '', 'plain', '--c', 'Content-Type: text/html', 'Content-Transfer-Encoding: base64', '', 'PGI+', '--c--', '--b--', '',
]);
$answer = "From: b@beta.test\r\nSubject: Re: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nReferences: <1@beta.test>\r\nMessage-ID: <2@beta.test>\r\nDate: Thu, 5 Nov 2020 10:30:00 +0000\r\n\r\nsecond body\r\n";
$other = "From: a@beta.test\r\nSubject: other\r\nDate: Mon, 2 Nov 2020 10:30:00 +0000\r\n\r\nthird body\r\n";
