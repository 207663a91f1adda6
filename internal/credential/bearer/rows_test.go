package bearer

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postern-authz/postern/internal/access"
)

// TestGoodTokens is the other half of every table below: what they change by
// one thing is good without it.
func TestGoodTokens(t *testing.T) {
	keys, a := keysOfRun(), demo(t)
	exp := fmt.Sprintf(`"exp":%d`, noon().Unix()+300)
	for name, token := range map[string]string{
		"HS256 by iss":             hs(hsHead, mobile("")),
		"HS256 by key":             hs(hsHead, `{"key":"mobile-issuer",`+exp+`}`),
		"HS256 by kid":             hs(`{"alg":"HS256","kid":"mobile-issuer"}`, `{`+exp+`}`),
		"iss before kid":           hs(`{"alg":"HS256","kid":"nobody"}`, mobile("")),
		"iss and key of one":       hs(hsHead, mobile(`,"key":"mobile-second"`)),
		"key is nobody's":          hs(hsHead, mobile(`,"key":"nobody"`)),
		"key is an object":         hs(hsHead, mobile(`,"key":{"a":1}`)),
		"HS512":                    sign(`{"alg":"HS512"}`, `{"iss":"hs512-key",`+exp+`}`, jwt.SigningMethodHS512, []byte(secret+secret)),
		"RS256":                    sign(`{"alg":"RS256"}`, `{"iss":"rs-key",`+exp+`}`, jwt.SigningMethodRS256, keys.rsa2),
		"PS256":                    sign(`{"alg":"PS256"}`, `{"iss":"ps-key",`+exp+`}`, jwt.SigningMethodPS256, keys.rsa2),
		"ES256":                    sign(`{"alg":"ES256"}`, `{"iss":"es-key",`+exp+`}`, jwt.SigningMethodES256, keys.ec256),
		"EdDSA":                    sign(`{"alg":"EdDSA"}`, `{"iss":"ed-key",`+exp+`}`, jwt.SigningMethodEdDSA, keys.ed),
		"issuer RS256":             rs(rsHead, shop("")),
		"issuer ES256":             sign(`{"alg":"ES256","kid":"e1"}`, shop(""), jwt.SigningMethodES256, keys.ec256),
		"issuer, no kid":           rs(`{"alg":"RS256"}`, shop("")),
		"issuer, key claim":        rs(rsHead, shop(`,"key":"partner-key"`)),
		"typ at+jwt":               hs(`{"alg":"HS256","typ":"application/AT+JWT"}`, mobile("")),
		"informative header":       hs(`{"alg":"HS256","x5t":"a","x5t#S256":"b","nonce":"c"}`, mobile("")),
		"typ claim":                hs(hsHead, mobile(`,"typ":"Bearer"`)),
		"white space":              hs("\n{ \"alg\" : \"HS256\" }\t", " "+mobile("")+"\n"),
		"fractions":                hs(hsHead, `{"iss":"mobile-issuer","exp":1.8e9,"iat":1.5,"nbf":0}`),
		"other case is no claim":   hs(hsHead, mobile(`,"Exp":1,"ISS":"x","Nbf":99999999999`)),
		"within leeway":            hs(hsHead, fmt.Sprintf(`{"iss":"mobile-issuer","exp":%d,"nbf":%d,"iat":%d}`, noon().Unix()-29, noon().Unix()+29, noon().Unix()+29)),
		"surrogate pair":           hs(hsHead, mobile(`,"x":"\ud83d\ude00"`)),
		"32 deep":                  hs(hsHead, mobile(`,"x":`+strings.Repeat("[", 31)+strings.Repeat("]", 31))),
		"audience, consumer-bound": hs(hsHead, mobile(`,"aud":"anything"`)),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ask(a, token); err != nil {
				t.Errorf("rejected: %v", err)
			}
		})
	}
}

// TestThreatRows has the faults and attacks on tokens; the rows about key sets
// are in the tests of those. Every one is answered 401, and no store or network
// trouble is made by any.
func TestThreatRows(t *testing.T) {
	keys, a := keysOfRun(), demo(t)
	exp := fmt.Sprintf(`"exp":%d`, noon().Unix()+300)
	public := must(x509.MarshalPKIXPublicKey(&keys.rsa2.PublicKey))
	issuerPublic := must(x509.MarshalPKIXPublicKey(&keys.rsa1.PublicKey))
	pemText := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	good := hs(hsHead, mobile(""))
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	saltFree := &jwt.SigningMethodRSAPSS{SigningMethodRSA: jwt.SigningMethodPS256.SigningMethodRSA, Options: &rsa.PSSOptions{SaltLength: 20}}
	ecInput := b64([]byte(`{"alg":"ES256"}`)) + "." + b64([]byte(`{"iss":"es-key",`+exp+`}`))
	order := keys.ec256.Params().N.Bytes()
	cases := map[string]string{
		"row 01 none":              b64([]byte(`{"alg":"none"}`)) + "." + payload + ".",
		"row 01 NoNe signed":       hs(`{"alg":"NoNe"}`, mobile("")),
		"row 01 empty alg":         hs(`{"alg":""}`, mobile("")),
		"row 01 no alg":            hs(`{}`, mobile("")),
		"row 01 empty signature":   head + "." + payload + ".",
		"row 02 PEM as secret":     sign(hsHead, `{"iss":"rs-key",`+exp+`}`, jwt.SigningMethodHS256, pemText),
		"row 02 DER as secret":     sign(hsHead, `{"iss":"rs-key",`+exp+`}`, jwt.SigningMethodHS256, public),
		"row 02 JWK as secret":     sign(hsHead, `{"iss":"rs-key",`+exp+`}`, jwt.SigningMethodHS256, []byte(jwkOf("x", &keys.rsa2.PublicKey, ""))),
		"row 02 issuer DER":        sign(`{"alg":"HS256","kid":"r1"}`, shop(""), jwt.SigningMethodHS256, issuerPublic),
		"row 03 PS for RS":         sign(`{"alg":"PS256"}`, `{"iss":"rs-key",`+exp+`}`, jwt.SigningMethodPS256, keys.rsa2),
		"row 03 RS for PS":         sign(`{"alg":"RS256"}`, `{"iss":"ps-key",`+exp+`}`, jwt.SigningMethodRS256, keys.rsa2),
		"row 03 issuer PS":         sign(`{"alg":"PS256","kid":"r1"}`, shop(""), jwt.SigningMethodPS256, keys.rsa1),
		"row 03 issuer RS512":      sign(`{"alg":"RS512","kid":"r1"}`, shop(""), jwt.SigningMethodRS512, keys.rsa1),
		"row 03 alg not listed":    sign(`{"alg":"ES384","kid":"e3"}`, shop(""), jwt.SigningMethodES384, keys.ec384),
		"row 03 ES256K":            hs(`{"alg":"ES256K"}`, `{"iss":"es-key",`+exp+`}`),
		"row 03 RS key for ES":     sign(`{"alg":"ES256","kid":"r1"}`, shop(""), jwt.SigningMethodES256, keys.ec256),
		"row 04 jwk":               rs(`{"alg":"RS256","kid":"r1","jwk":`+jwkOf("r1", &keys.rsa1.PublicKey, "")+`}`, shop("")),
		"row 04 jku":               rs(`{"alg":"RS256","kid":"r1","jku":"http://127.0.0.1:1/"}`, shop("")),
		"row 04 x5u":               rs(`{"alg":"RS256","kid":"r1","x5u":"http://127.0.0.1:1/"}`, shop("")),
		"row 04 x5c":               rs(`{"alg":"RS256","kid":"r1","x5c":[]}`, shop("")),
		"row 04 JWK in caps":       rs(`{"alg":"RS256","kid":"r1","JWK":{}}`, shop("")),
		"row 05 traversal":         rs(`{"alg":"RS256","kid":"../../etc/passwd"}`, shop("")),
		"row 05 SQL":               hs(`{"alg":"HS256","kid":"' OR 1=1 --"}`, `{`+exp+`}`),
		"row 05 NUL":               hs(`{"alg":"HS256","kid":"mobile-issuer\u0000"}`, `{`+exp+`}`),
		"row 05 10 KB":             rs(`{"alg":"RS256","kid":"`+strings.Repeat("k", 10<<10)+`"}`, shop("")),
		"row 05 number":            rs(`{"alg":"RS256","kid":1}`, shop("")),
		"row 05 null":              rs(`{"alg":"RS256","kid":null}`, shop("")),
		"row 05 empty":             rs(`{"alg":"RS256","kid":""}`, shop("")),
		"row 06 two keys, no kid":  sign(`{"alg":"ES256"}`, shop(""), jwt.SigningMethodES256, keys.ec256),
		"row 07 key of the other":  sign(rsHead, shop(""), jwt.SigningMethodRS256, keys.rsa2),
		"row 07 and back":          rs(rsHead, strings.Replace(shop(""), shopIss, otherIss, 1)),
		"row 07 consumer's as iss": hs(hsHead, shop("")),
		"row 08 empty crit":        hs(`{"alg":"HS256","crit":[]}`, mobile("")),
		"row 08 unknown crit":      hs(`{"alg":"HS256","crit":["x"],"x":1}`, mobile("")),
		"row 08 null crit":         hs(`{"alg":"HS256","crit":null}`, mobile("")),
		"row 08 b64":               hs(`{"alg":"HS256","b64":false}`, mobile("")),
		"row 08 b64 true":          hs(`{"alg":"HS256","b64":true}`, mobile("")),
		"row 09 header":            hs(`{"alg":"none","alg":"HS256"}`, mobile("")),
		"row 09 claims":            hs(hsHead, mobile(`,"iss":"mobile-issuer"`)),
		"row 09 deep":              hs(hsHead, mobile(`,"x":[{"a":1,"a":1}]`)),
		"row 09 escaped":           hs(hsHead, mobile(`,"\u0069ss":"mobile-issuer"`)),
		"row 10 Exp":               hs(hsHead, `{"iss":"mobile-issuer","Exp":9999999999}`),
		"row 10 Iss":               hs(hsHead, `{"Iss":"mobile-issuer",`+exp+`}`),
		"row 10 Alg":               hs(`{"Alg":"HS256"}`, mobile("")),
		"row 10 Alg beside alg":    hs(`{"alg":"HS256","Alg":"HS256"}`, mobile("")),
		"row 13 missing":           rs(rsHead, strings.Replace(shop(""), `"aud"`, `"Aud"`, 1)),
		"row 14 missing iss":       rs(rsHead, strings.Replace(shop(""), `"iss"`, `"ISS"`, 1)),
		"row 14 case":              rs(rsHead, strings.Replace(shop(""), "shop", "Shop", 1)),
		"row 14 slash":             rs(rsHead, strings.Replace(shop(""), "realms/shop", "realms/shop/", 1)),
		"row 14 number":            hs(hsHead, `{"iss":1,`+exp+`}`),
		"row 14 null":              hs(hsHead, `{"iss":null,"key":"mobile-issuer",`+exp+`}`),
		"row 14 empty":             hs(hsHead, `{"iss":"","key":"mobile-issuer",`+exp+`}`),
		"row 15 JWE":               head + "." + payload + ".a.b." + signature,
		"row 15 JSON form":         `{"payload":"a.b.c"}`,
		"row 15 cty":               hs(`{"alg":"HS256","cty":"application/JWT"}`, mobile("")),
		"row 15 zip":               hs(`{"alg":"HS256","zip":"DEF"}`, mobile("")),
		"row 15 enc":               hs(`{"alg":"HS256","enc":"A128GCM"}`, mobile("")),
		"row 16 dots":              strings.Repeat(".", 16<<10),
		"row 16 long":              hs(hsHead, mobile(`,"x":"`+strings.Repeat("x", 16<<10)+`"`)),
		"row 16 two parts":         head + "." + payload,
		"row 16 four parts":        good + ".",
		"row 17 deep":              hs(hsHead, mobile(`,"x":`+strings.Repeat("[", 32)+strings.Repeat("]", 32))),
		"row 17 trailing":          hs(hsHead, mobile("")+"{}"),
		"row 17 BOM":               hs(hsHead, "\ufeff"+mobile("")),
		"row 17 UTF-8":             hs(hsHead, mobile(",\"x\":\"\xff\"")),
		"row 17 surrogate":         hs(hsHead, mobile(`,"x":"\ud800"`)),
		"row 17 not an object":     hs(hsHead, `["iss"]`),
		"row 18 line feed":         head + "\n." + payload + "." + signature,
		"row 18 in signature":      good[:len(good)-4] + "\r\n" + good[len(good)-4:],
		"row 18 unused bits":       flipUnusedBits(good),
		"row 18 padding":           good + "=",
		"row 18 standard alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(hs(hsHead, mobile(`,"x":"ÿÿÿ>>>???"`))),
		"row 19 zero":              ecInput + "." + b64(make([]byte, 64)),
		"row 19 order":             ecInput + "." + b64(append(order, order...)),
		"row 19 oversize":          ecInput + "." + b64(make([]byte, 66)),
		"row 19 salt":              sign(`{"alg":"PS256"}`, `{"iss":"ps-key",`+exp+`}`, saltFree, keys.rsa2),
		"row 19 PKCS1 no hash":     forgePKCS1(`{"alg":"RS256"}`, `{"iss":"rs-key",`+exp+`}`),
		"row 20 small RSA":         sign(`{"alg":"RS256"}`, `{"iss":"small-key",`+exp+`}`, jwt.SigningMethodRS256, keys.weak),
		"row 20 enc key":           sign(`{"alg":"RS256","kid":"enc"}`, shop(""), jwt.SigningMethodRS256, keys.rsa2),
		"row 21 short secret":      sign(hsHead, `{"iss":"weak-key",`+exp+`}`, jwt.SigningMethodHS256, []byte("short")),
		"row 21 empty secret":      sign(hsHead, `{"iss":"empty-key",`+exp+`}`, jwt.SigningMethodHS256, []byte("")),
		"row 26 dpop":              hs(`{"alg":"HS256","typ":"dpop+jwt"}`, mobile("")),
		"row 26 logout":            hs(`{"alg":"HS256","typ":"logout+jwt"}`, mobile("")),
		"row 26 typ number":        hs(`{"alg":"HS256","typ":1}`, mobile("")),
		"row 26 ID claim":          rs(rsHead, shop(`,"typ":"ID"`)),
		"row 26 Refresh claim":     rs(rsHead, shop(`,"typ":"Refresh"`)),
		"row 26 bearer claim":      rs(rsHead, shop(`,"typ":"bearer"`)),
		"row 26 null claim":        rs(rsHead, shop(`,"typ":null`)),
		"row 27 garbage":           "a.b.c",
		"row 27 empty parts":       "..",
		"row 27 white space":       good + " ",
		"row 27 spaces before":     " " + good,
		"row 27 not ASCII":         "ü" + good,
		"row 28 expired and bad":   corrupt(hs(hsHead, `{"iss":"mobile-issuer","exp":1}`)),
		"row 28 issuer":            corrupt(rs(rsHead, strings.Replace(shop(""), exp, `"exp":1`, 1))),
		"row 46 disabled consumer": hs(hsHead, `{"iss":"retired-key",`+exp+`}`),
		"row 46 expired too":       hs(hsHead, `{"iss":"retired-key","exp":1}`),
		"row 46 credential off":    hs(hsHead, `{"iss":"off-key",`+exp+`}`),
		"row 46 issuer's":          rs(rsHead, strings.Replace(shop(""), "mobile-app", "retired-app", 1)),
		"unknown consumer":         rs(rsHead, strings.Replace(shop(""), "mobile-app", "nobody", 1)),
		"no consumer claim":        rs(rsHead, strings.Replace(shop(""), "azp", "AZP", 1)),
		"consumer claim a list":    rs(rsHead, strings.Replace(shop(""), `"mobile-app"`, `["mobile-app"]`, 1)),
		"two consumers":            hs(hsHead, mobile(`,"key":"partner-key"`)),
		"names nobody":             hs(hsHead, `{`+exp+`}`),
		"iss unknown, key good":    hs(hsHead, `{"iss":"nobody","key":"mobile-issuer",`+exp+`}`),
		"key a number":             hs(`{"alg":"HS256","kid":"mobile-issuer"}`, `{"key":1,`+exp+`}`),
		"roles a number":           rs(rsHead, shop(`,"realm_access":{"roles":[1]}`)),
		"groups an object":         rs(rsHead, shop(`,"groups":{"a":"b"}`)),
	}
	for _, value := range []string{"null", `"99999999999"`, "1e308", "1e999", "9223372036854775808", "-1", "0", "253402300800", "true", "[1]", "1e1000000000", "01", "1.", "+1", "NaN"} {
		cases["row 11 exp "+value] = hs(hsHead, `{"iss":"mobile-issuer","exp":`+value+`}`)
	}
	for _, value := range []string{"null", `"1"`, "1e308", "-1", "99999999999", fmt.Sprint(noon().Unix() + 31)} {
		cases["row 12 nbf "+value] = hs(hsHead, mobile(`,"nbf":`+value))
		cases["row 12 iat "+value] = hs(hsHead, mobile(`,"iat":`+value))
	}
	for _, value := range []string{`"orders"`, `"orders-api-2"`, `"Orders-API"`, `1`, `null`, `[]`, `[["orders-api"]]`, `{"orders-api":1}`, `["orders-api",1]`, `""`, `"orders-api "`} {
		cases["row 13 aud "+value] = rs(rsHead, strings.Replace(shop(""), `["account","orders-api"]`, value, 1))
	}
	cases["row 13 consumer-bound aud"] = hs(hsHead, mobile(`,"aud":1`))
	for name, token := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := ask(a, token); codeOf(err) != access.CodeInvalidCredential {
				t.Errorf("answer %q (%v), want %s", codeOf(err), err, access.CodeInvalidCredential)
			}
		})
	}
}

// TestExpired: only what is good in all else is called expired.
func TestExpired(t *testing.T) {
	a := demo(t)
	for name, token := range map[string]string{
		"consumer-bound": hs(hsHead, `{"iss":"mobile-issuer","exp":1}`),
		"issuer-bound":   rs(rsHead, strings.Replace(shop(""), fmt.Sprint(noon().Unix()+300), fmt.Sprint(noon().Unix()-30), 1)),
		"credential":     hs(hsHead, strings.Replace(mobile(""), "mobile-issuer", "ended-key", 1)),
	} {
		if _, err := ask(a, token); codeOf(err) != access.CodeExpiredCredential {
			t.Errorf("%s: answer %q (%v), want %s", name, codeOf(err), err, access.CodeExpiredCredential)
		}
	}
}

// corrupt changes the first character of the signature.
func corrupt(token string) string {
	first := strings.LastIndexByte(token, '.') + 1
	other := "A"
	if token[first] == 'A' {
		other = "B"
	}
	return token[:first] + other + token[first+1:]
}

// flipUnusedBits changes the last character to one that most readers decode to
// the same bytes: 32 bytes leave two bits of it unused.
func flipUnusedBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + string(alphabet[strings.IndexByte(alphabet, token[last])|1])
}

// forgePKCS1 signs the bare digest without the DER prefix that names the hash.
func forgePKCS1(header, claims string) string {
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(input))
	return input + "." + b64(must(rsa.SignPKCS1v15(rand.Reader, keysOfRun().rsa2, crypto.Hash(0), sum[:])))
}
