//! The examples of the RFCs, and what hostile tokens look like.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value, json};

use crate::{
    Algorithm, Compact, DecryptionKey, DecryptionKeys, Key, KeySet, TokenForm, Why, compact::decode, form_of,
    thumbprint,
};

const JOE: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

fn set(jwk: &Value) -> KeySet {
    let text = json!({ "keys": [jwk] }).to_string();
    let (set, unusable) = KeySet::of_jwks(text.as_bytes()).expect("a JWK Set");
    assert_eq!(unusable, []);
    set
}

fn rsa() -> Value {
    json!({ "kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" })
}

fn p256() -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" })
}

fn ed25519() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
}

/// Of RFC 7520, 3.3 and 3.1.
fn hobbit_rsa() -> Value {
    json!({ "kty": "RSA", "e": "AQAB", "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw" })
}

fn hobbit_p521() -> Value {
    json!({ "kty": "EC", "crv": "P-521", "x": "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt", "y": "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1" })
}

/// The payload of RFC 7520, 4.
const HOBBIT: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";

#[test]
fn the_signatures_of_the_cookbook_are_verified_by_their_own_algorithm_only() {
    // RFC 7520, 4.2 and 4.3.
    for (jwk, algorithm, header, signature) in [
        (
            hobbit_rsa(),
            Algorithm::Ps384,
            "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
        ),
        (
            hobbit_p521(),
            Algorithm::Es512,
            "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2",
        ),
    ] {
        let key = Key::of_jwk(&object(jwk)).expect("a key");
        let message = format!("{header}.{HOBBIT}");
        let signature = decode(signature).expect("base64url");
        for other in Algorithm::ALL {
            let verified = key.verifies_message(other, message.as_bytes(), &signature);
            assert_eq!(verified, other == algorithm, "{} for {}", other.name(), algorithm.name());
        }
        let mut changed = signature.clone();
        changed[7] ^= 1;
        assert!(!key.verifies_message(algorithm, message.as_bytes(), &changed));
        assert!(!key.verifies_message(algorithm, &message.as_bytes()[1..], &signature));
        assert!(!key.verifies_message(algorithm, message.as_bytes(), &[]));
        assert!(!key.verifies_message(algorithm, message.as_bytes(), &vec![0; signature.len()]));
    }
}

/// Signed tokens of RFC 7515, appendix A, and RFC 8037, appendix A.4, with their keys.
fn signed() -> Vec<(KeySet, Algorithm, String)> {
    let secret = Key::of_secret(&decode(SECRET).expect("base64url")).expect("a secret");
    vec![
        (
            KeySet::new(vec![secret]),
            Algorithm::Hs256,
            format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ),
        (
            set(&rsa()),
            Algorithm::Rs256,
            format!("eyJhbGciOiJSUzI1NiJ9.{JOE}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"),
        ),
        (
            set(&p256()),
            Algorithm::Es256,
            format!("eyJhbGciOiJFUzI1NiJ9.{JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
        ),
        (
            set(&ed25519()),
            Algorithm::EdDsa,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg".to_owned(),
        ),
    ]
}

#[test]
fn the_signatures_of_the_rfcs_are_verified_and_any_change_is_noticed() {
    for (keys, algorithm, token) in signed() {
        let compact = Compact::parse(&token).unwrap();
        assert_eq!(keys.verify(&compact, &[algorithm]), Ok(()), "{token}");
        let not_accepted = keys.verify(&compact, &[]).unwrap_err();
        assert_eq!(not_accepted.why, Why::Algorithm, "{token}");
        // Another bit anywhere, but in the header, which then is another algorithm or none at all.
        let begin = token.find('.').unwrap() + 1;
        for place in begin..token.len() {
            let mut changed = token.clone().into_bytes();
            if changed[place] == b'.' {
                continue;
            }
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let refused = Compact::parse(&changed).and_then(|compact| keys.verify(&compact, &[algorithm]));
            assert!(refused.is_err(), "{changed}");
        }
    }
}

#[test]
fn a_key_is_used_with_algorithms_of_its_own_type_only() {
    let all = signed();
    for (keys, _, _) in &all {
        for (_, algorithm, token) in &all {
            let compact = Compact::parse(token).unwrap();
            let verified = keys.verify(&compact, &Algorithm::ALL);
            let own = all.iter().any(|(own, name, _)| std::ptr::eq(own, keys) && name == algorithm);
            assert_eq!(verified.is_ok(), own, "{}", algorithm.name());
        }
    }
    // The classic: the public key as a secret (RFC 8725, 2.1).
    let header = Base64UrlUnpadded::encode_string(br#"{"alg":"HS256"}"#);
    let signed = format!("{header}.{JOE}");
    let public = rsa().to_string();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    let token = format!("{signed}.{}", Base64UrlUnpadded::encode_string(signature.as_ref()));
    assert!(set(&rsa()).verify(&Compact::parse(&token).unwrap(), &Algorithm::ALL).is_err());
}

#[test]
fn keys_of_a_set_that_cannot_be_used_are_told_and_the_others_are_used() {
    let mut short = rsa();
    short["n"] = "sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri".into();
    let with = |mut jwk: Value, name: &str, value: Value| {
        jwk[name] = value;
        jwk
    };
    for (jwk, problem) in [
        (json!({ "kty": "oct", "k": "AAAA", "kid": "s" }), "secret"),
        (with(p256(), "d", "AAAA".into()), "private"),
        (with(p256(), "use", "enc".into()), "not for signatures"),
        (with(p256(), "key_ops", json!(["encrypt"])), "not for verifying"),
        (with(p256(), "alg", "RS256".into()), "does not go with it"),
        (with(p256(), "alg", "none".into()), "does not go with it"),
        (with(p256(), "crv", "secp256k1".into()), "not supported"),
        (with(p256(), "x", "AAAA".into()), "wrong length"),
        (with(p256(), "y", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".into()), "not valid"),
        (short, "2048"),
        (json!({ "kty": "OKP", "crv": "X25519", "x": "AAAA" }), "not supported"),
        (json!("x"), "no object"),
    ] {
        let text = json!({ "keys": [jwk, ed25519()] }).to_string();
        let (keys, unusable) = KeySet::of_jwks(text.as_bytes()).unwrap();
        assert_eq!(keys.len(), 1, "{text}");
        assert!(unusable[0].to_string().contains(problem), "{text}: {}", unusable[0]);
    }
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(KeySet::of_jwks(text.as_bytes()).is_none(), "{text}");
    }
}

#[test]
fn a_token_is_verified_with_the_key_that_it_names() {
    let (_, _, token) = &signed()[2];
    let named = |name: &str| {
        let mut jwk = p256();
        jwk["kid"] = name.into();
        jwk
    };
    // The token names none: any will do.
    let compact = Compact::parse(token).unwrap();
    assert_eq!(set(&named("a")).verify(&compact, &Algorithm::ALL), Ok(()));
    let header = Base64UrlUnpadded::encode_string(br#"{"alg":"ES256","kid":"b"}"#);
    let (_, rest) = token.split_once('.').unwrap();
    let other = format!("{header}.{rest}");
    let compact = Compact::parse(&other).unwrap();
    let why = |keys: KeySet| keys.verify(&compact, &Algorithm::ALL).unwrap_err().why;
    assert_eq!(why(set(&named("a"))), Why::UnknownKey);
    assert_eq!(why(set(&named("b"))), Why::Signature);
    let mut rsa = rsa();
    rsa["kid"] = "b".into();
    assert_eq!(why(set(&rsa)), Why::Algorithm);
    assert_eq!(why(KeySet::default()), Why::UnknownKey);
}

#[test]
fn certificates_and_public_keys_in_pem_verify_tokens() {
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
    let (_, algorithm, token) = &signed()[3];
    let keys = KeySet::of_pem(PUBLIC.as_bytes()).unwrap();
    assert_eq!(keys.verify(&Compact::parse(token).unwrap(), &[*algorithm]), Ok(()));
    for (text, problem) in [
        ("", "no certificate"),
        ("-----BEGIN PRIVATE KEY-----\nMCow\n-----END PRIVATE KEY-----\n", "PRIVATE KEY"),
        ("-----BEGIN CERTIFICATE-----\nMCow\n-----END CERTIFICATE-----\n", "block 1"),
    ] {
        assert!(KeySet::of_pem(text.as_bytes()).unwrap_err().contains(problem), "{text}");
    }
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let key = json!({ "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" });
    for (jwk, expect) in [
        (key, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ed25519(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        assert_eq!(thumbprint(&object(jwk)).as_deref(), Some(expect));
    }
    assert_eq!(thumbprint(&object(json!({ "kty": "oct", "k": "AAAA" }))), None);
}

#[test]
fn the_key_agreement_of_rfc_7518_comes_to_its_key() {
    let header = json!({
        "alg": "ECDH-ES", "enc": "A128GCM", "apu": "QWxpY2U", "apv": "Qm9i",
        "epk": { "kty": "EC", "crv": "P-256", "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps" },
    });
    let header =
        crate::Header::parse(&Base64UrlUnpadded::encode_string(header.to_string().as_bytes())).unwrap();
    let bob = decode("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap();
    let bob = PrivateKey::from_private_key(&ECDH_P256, &bob).unwrap();
    let agreed = crate::jwe::agree(&bob, "P-256", 32, &header, "A128GCM", 16).unwrap();
    assert_eq!(Base64UrlUnpadded::encode_string(&agreed), "VqqN6vgjbSBcIijNcacQGg");
}

#[test]
fn the_encrypted_text_of_rfc_7516_is_opened_and_any_change_is_noticed() {
    let token = "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ.AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ";
    let key = DecryptionKey::parse(None, r#"{"kty":"oct","k":"GawgguFyGrWKav7AX4VKUg"}"#).unwrap();
    let keys = DecryptionKeys::new(vec![key]);
    assert_eq!(keys.open(token).as_deref(), Ok("Live long and prosper."));
    for place in 0..token.len() {
        let mut changed = token.as_bytes().to_vec();
        if changed[place] != b'.' {
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(keys.open(&changed).is_err(), "{changed}");
        }
    }
    let head = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let rest = token.split_once('.').unwrap().1;
    for (header, why) in [
        (r#"{"alg":"A128KW","enc":"A128CBC-HS256","zip":"DEF"}"#, Why::Algorithm),
        (r#"{"alg":"A128KW","enc":"A192GCM"}"#, Why::Algorithm),
        (r#"{"alg":"RSA1_5","enc":"A128CBC-HS256"}"#, Why::UnknownKey),
        (r#"{"alg":"PBES2-HS256+A128KW","enc":"A128CBC-HS256","p2c":4000000000}"#, Why::UnknownKey),
        (r#"{"alg":"A128KW","enc":"A128CBC-HS256","crit":["exp"]}"#, Why::Malformed),
    ] {
        assert_eq!(keys.open(&format!("{}.{rest}", head(header))).unwrap_err().why, why, "{header}");
    }
    for text in [
        "",
        "{}",
        r#"{"kty":"oct","k":"AAAA"}"#,
        "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----",
    ] {
        let problem = DecryptionKey::parse(None, text).unwrap_err();
        assert!(!problem.contains("AAAA"), "{problem}");
    }
}

#[test]
fn hostile_tokens_are_refused_before_anything_is_computed() {
    let head = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let with = |header: &str| format!("{}.{JOE}.AAAA", head(header));
    let many: Vec<String> = (0..40).map(|n| format!("\"m{n}\":1")).collect();
    for (token, why) in [
        (String::new(), Why::Malformed),
        ("..".to_owned(), Why::Malformed),
        ("a.b".to_owned(), Why::Malformed),
        ("a.b.c.d".to_owned(), Why::Malformed),
        (format!("{}.{JOE}", head(r#"{"alg":"ES256"}"#)), Why::Malformed),
        (with(r#"{"alg":"none"}"#), Why::Algorithm),
        (with(r#"{"alg":"None"}"#), Why::Algorithm),
        (with(r#"{"alg":"es256"}"#), Why::Algorithm),
        (with(r#"{"alg":"ES256K"}"#), Why::Algorithm),
        (with(r#"{"alg":["ES256"]}"#), Why::Malformed),
        (with(r#"{"alg":"ES256","alg":"none"}"#), Why::Malformed),
        (with(r#"{"alg":"ES256","crit":["x"],"x":1}"#), Why::Malformed),
        (with(r#"{"alg":"ES256","b64":false}"#), Why::Malformed),
        (with(r#"{"alg":"ES256","kid":1}"#), Why::Malformed),
        (with(r#"{"typ":"JWT"}"#), Why::Malformed),
        (with("null"), Why::Malformed),
        (with(&format!(r#"{{"alg":"ES256",{}}}"#, many.join(","))), Why::Malformed),
        (with(&format!(r#"{{"alg":"ES256","x":"{}"}}"#, "x".repeat(4096))), Why::Malformed),
        (
            with(&format!(r#"{{"alg":"ES256","x":{}1{}}}"#, "[".repeat(1000), "]".repeat(1000))),
            Why::Malformed,
        ),
        (format!("{}.{}.AAAA", head(r#"{"alg":"ES256"}"#), "A".repeat(20_000)), Why::Malformed),
        (format!("{}=.{JOE}.AAAA", head(r#"{"alg":"ES256"}"#)), Why::Malformed),
        (format!("{}.{JOE}.AA+A", head(r#"{"alg":"ES256"}"#)), Why::Malformed),
        (format!("{}.{JOE}.AAAB=", head(r#"{"alg":"ES256"}"#)), Why::Malformed),
    ] {
        assert_eq!(Compact::parse(&token).unwrap_err().why, why, "{token:.80}");
    }
    let deep = head(&format!(r#"{{"x":{}1{}}}"#, "[".repeat(100), "]".repeat(100)));
    let token = format!("{}.{deep}.AAAA", head(r#"{"alg":"ES256"}"#));
    assert_eq!(Compact::parse(&token).unwrap().claims().unwrap_err().why, Why::Malformed);
    assert_eq!(form_of("eyJhbGciOiJFUzI1NiJ9.a.b"), TokenForm::Signed);
    assert_eq!(form_of("eyJhbGciOiJFUzI1NiJ9.a.b.c.d"), TokenForm::Encrypted);
    assert_eq!(form_of("2YotnFZFEjr1zCsicMWpAA"), TokenForm::Opaque);
}

#[test]
fn the_proof_of_rfc_9449_is_verified_by_the_key_in_it() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let compact = Compact::parse(proof).unwrap();
    let jwk = compact.header.members["jwk"].as_object().unwrap();
    assert!(Key::of_jwk(jwk).unwrap().verifies(&compact));
    assert_eq!(thumbprint(jwk).as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
}

#[test]
fn private_keys_in_pem_open_what_was_encrypted_for_them() {
    use aws_lc_rs::{
        aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
        encoding::{AsDer, Pkcs8V1Der},
        rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey},
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
    };
    let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let pem = |der: &[u8]| {
        let text = base64ct::Base64::encode_string(der);
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    };
    let seal = |header: &Value, content: &[u8], key: &[u8]| {
        let head = encode(header.to_string().as_bytes());
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, content).unwrap());
        let mut text = b"inside".to_vec();
        let nonce = Nonce::assume_unique_for_key([1; 12]);
        let tag = cipher.seal_in_place_separate_tag(nonce, Aad::from(head.as_bytes()), &mut text).unwrap();
        format!("{head}.{}.{}.{}.{}", encode(key), encode(&[1; 12]), encode(&text), encode(tag.as_ref()))
    };

    let rsa = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let public = OaepPublicEncryptingKey::new(rsa.public_key()).unwrap();
    let mut encrypted = vec![0; public.ciphertext_size()];
    let encrypted = public.encrypt(&OAEP_SHA256_MGF1SHA256, &[5; 16], &mut encrypted, None).unwrap();
    let for_rsa = seal(&json!({ "alg": "RSA-OAEP-256", "enc": "A128GCM", "kid": "r" }), &[5; 16], encrypted);
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&rsa).unwrap();
    let rsa = DecryptionKey::parse(Some("r"), &pem(der.as_ref())).unwrap();

    let own = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (sender, sent) = {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private =
            PrivateKey::from_private_key_der(&ECDH_P256, key.to_pkcs8v1().unwrap().as_ref()).unwrap();
        (private, key.public_key().as_ref().to_vec())
    };
    let epk = |point: &[u8]| json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) });
    let head = |point: &[u8]| json!({ "alg": "ECDH-ES", "enc": "A128GCM", "epk": epk(point) });
    // What the sender comes to with the key of the receiver is what the receiver comes to with that of the sender.
    let towards =
        crate::Header::parse(&encode(head(own.public_key().as_ref()).to_string().as_bytes())).unwrap();
    let content = crate::jwe::agree(&sender, "P-256", 32, &towards, "A128GCM", 16).unwrap();
    let for_curve = seal(&head(&sent), &content, &[]);
    let curve = DecryptionKey::parse(None, &pem(own.to_pkcs8v1().unwrap().as_ref())).unwrap();

    let keys = DecryptionKeys::new(vec![rsa, curve]);
    for token in [for_rsa, for_curve] {
        assert_eq!(keys.open(&token).as_deref(), Ok("inside"));
    }
    // A point that is on no curve gives nothing away.
    let mut off = sent;
    off[64] ^= 1;
    assert_eq!(keys.open(&seal(&head(&off), &content, &[])).unwrap_err().why, Why::UnknownKey);
}
