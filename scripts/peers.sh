#!/bin/sh
# Installs the Debian packages that the tests and benchmarks use as real peers: mail clients, other mail servers, OpenPGP
# programs, DNS servers, scanners. None of them is started as a service. Quick when everything is there; safe to run again.
# Without root or apt it says what is missing and ends well: tests that need a missing program are skipped.
set -eu

# command=package (commands in sbin count too); a path is a file that must exist, perl: a module.
wanted='
sq=sq sqop=sqop gosop=gosop gpg=gnupg gpgconf=gpgconf
nginx=nginx-light dirmngr=dirmngr swaks=swaks perl:Net::SSLeay=libnet-ssleay-perl curl=curl mbsync=isync mutt=mutt
thunderbird=thunderbird certutil=libnss3-tools neomutt=neomutt offlineimap=offlineimap3 fetchmail=fetchmail mpop=mpop getmail=getmail6 interimap=interimap
gsasl=gsasl msmtp=msmtp /usr/share/doc/libsasl2-modules=libsasl2-modules
postfix=postfix dovecot=dovecot-core /usr/lib/dovecot/imap=dovecot-imapd /usr/lib/dovecot/lmtp=dovecot-lmtpd
unbound=unbound knotd=knot kzonesign=knot-dnssecutils delv=bind9-dnsutils
rspamd=rspamd clamd=clamav-daemon /usr/lib/gnupg/gpg-wks-client=gpg-wks-client
php=php-cli /usr/share/doc/php-imap=php-imap /usr/share/doc/roundcube-sqlite3=roundcube-sqlite3 /usr/share/roundcube=roundcube-core
perl:IO::Socket::SSL=libio-socket-ssl-perl perl:Mail::IMAPClient=libmail-imapclient-perl perl:Mail::IMAPTalk=libmail-imaptalk-perl
/usr/share/doc/python3-imap-tools=python3-imap-tools imapfilter=imapfilter movemail=mailutils ruby=ruby
python3=python3 openssl=openssl script=bsdutils prlimit=util-linux mount=mount mkfs.ext4=e2fsprogs rnp=rnp ps=procps
'

present() {
  case $1 in
    /*) test -e "$1" ;;
    perl:*) perl "-M${1#perl:}" -e 1 2>/dev/null ;;
    *) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing=''
for pair in $wanted; do
  present "${pair%=*}" || missing="$missing ${pair##*=}"
done
missing=${missing# }

if [ -z "$missing" ]; then
  echo 'peers: all there'
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "peers: missing, and only root on Debian can install them: $missing"
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# Packages ask policy-rc.d before they start a service; 101 forbids it. An existing one stays as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' HUP INT TERM
fi

log=$(mktemp)

# Mirrors fail now and then, and another apt may hold the lock.
try() {
  attempt=1
  until "$@" >"$log" 2>&1; do
    if [ "$attempt" -ge 4 ]; then
      echo "peers: failed: $*" >&2
      tail -n 20 "$log" >&2
      rm -f "$log"
      exit 1
    fi
    sleep $((attempt * 5))
    attempt=$((attempt + 1))
  done
}

apt() {
  apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

echo 'peers: fetching the package lists'
try apt update

# Postfix asks what kind of site this is; without a configuration it writes nothing and would not start.
if command -v debconf-set-selections >/dev/null 2>&1; then
  echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
fi

echo "peers: installing $missing"
# shellcheck disable=SC2086 # a list of words
try apt install -y --no-install-recommends $missing
rm -f "$log"

for pair in $wanted; do
  present "${pair%=*}" || {
    echo "peers: ${pair##*=} is installed, but ${pair%=*} is not there" >&2
    exit 1
  }
done
echo 'peers: installed'
