// Package clientcert proves consumers by their TLS client certificates. The
// handshake was the gateway's: it knows that the client holds the certificate's
// private key, and tells us the certificate.
//
// # Where a certificate is told
//
//   - CheckRequest's source.certificate (Envoy's include_peer_certificate):
//     URL-encoded PEM.
//   - Without it, source.principal, which Envoy always sets: the first URI SAN,
//     or else the first DNS SAN, or else the subject, without saying which. It
//     is taken as what its form says, and the three have no form in common: a
//     URI has "scheme:" and no "=" before it, a subject has "TYPE=", a DNS name
//     neither. It proves that one name, and never a fingerprint. A certificate
//     that is not shown can't be checked: expiry is then the gateway's word, and
//     with CAFile a principal proves nothing.
//   - The headers in Config.Headers, of a trusted proxy alone (Request.Trusted):
//     X-Forwarded-Client-Cert of Envoy, and Client-Cert with Client-Cert-Chain of
//     RFC 9440. Anybody else's are ignored, as if they were not there.
//
// A trusted proxy must replace those headers in all that it forwards. One that
// merely copies them hands on what the client wrote, and certificates are no
// secrets: that is why no header is believed unless it is named. Envoy replaces
// or removes X-Forwarded-Client-Cert by default; nginx, Caddy, Traefik, HAProxy
// and APISIX replace what they are told to.
//
// # X-Forwarded-Client-Cert
//
// Its last element counts: under APPEND_FORWARD each Envoy adds what it saw
// itself at the end, so what stands before is hearsay. Under FORWARD_ONLY the
// last element is the nearest proxy's that adds one. Cert (and Chain) are read
// where they are there, and then Hash must be theirs and the names are the
// certificate's. Without Cert, Hash, Subject, URI and DNS are names on the
// proxy's word, which CAFile refuses. Envoy writes URI and DNS SANs without any
// quotes, so that a SAN with a comma or semicolon in it would look like an
// element or a key of its own: set_current_client_cert_details: {cert: true} is
// the better form, no CA may sign such names, and an element without Cert may
// hold one URI only.
//
// # Which consumer
//
// All names of the certificate are looked up: fingerprint, URI and DNS SANs,
// subject, as package certname writes them. Names of two consumers are
// refused. The first one found, in that order, is the credential; every
// credential that is found has to be enabled and not expired, so that one name
// can be revoked. Sources that tell of different certificates are refused. A
// certificate outside its dates is refused always, and with CAFile also one
// that does not lead to its certificates for client authentication.
//
// A certificate that leads to no consumer is refused as any unknown credential
// is. Behind a mesh whose sidecars all have certificates, every request would
// be refused: there, UnknownIgnore takes such a certificate as none. It ignores
// nothing else: a broken certificate, or one of a known name that the CA did
// not sign, is refused. Where the trusted proxies themselves have certificates
// and name their client's in a header, IgnoreProxyCertificate keeps the
// proxies' own apart.
package clientcert
