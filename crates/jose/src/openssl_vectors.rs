//! Signatures that OpenSSL 3 has made, over the payload of RFC 7515, appendix A, with keys that were made for this: of the
//! algorithms for which no RFC has an example.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

use crate::{Algorithm, Compact, KeySet, Why, compact::decode};

const JOE: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn rsa() -> Value {
    json!({ "kty": "RSA", "e": "AQAB", "n": "4cCnFjl-F0JXjbw2h_rnz3IFT44FChdmvuHoiu5mXUtvRTo3SfsiioHPxrWFvy_ASX92jude_oUjbF-rKf2vwEy2VII40HTHd_NXrwWukUz5WXZTjYCOKnTXoiYq7_B0M5f_o9xrgVGWTS-RvmVaSwqDK8nXHYzHUf64cCtyKk_X7_cos_ZP4r_MnYMAVpDQ_LQXIN5G96_AqRv0ljoCLpLimjruIlr461eWP9HztbnvQHRrkPXOnF935g_FgW8yMTAePoFmUYbrnF-job0Hnv1ENs_MXTYBotIjk6NYnhGFyR5fmpX1q5ESVE20pBuB2o-9swOscFjCf1USWer71Q" })
}

fn p384() -> Value {
    json!({ "kty": "EC", "crv": "P-384", "x": "qnY9J66_QmgFbsPdLNo-SIQgmOQi_L1BW7fPBVuDtqydd92Q_48rFhW7OYP6rG1f", "y": "9cE91yorew8WIRybeiyvCFBaAFhjhLhkBvKjcg46iuHX5LxPYqqXuRNZhrbxNxm5" })
}

/// A signature of PS256 with a salt of no bytes, where RFC 7518, 3.5, asks for as many as the hash has.
const WITHOUT_SALT: &str = "eqFFQpEsaMbWODR-Jen_IyNUvzkxUoiEPtiFE7utswsji-kOqGrdJwxsoUgWe8aeUrw804BKQAVzRTW5MWEObOKmDN8LlDErBov6aFp_gkfYx4t7joiwaRyOgn4nnnhsV8j8R8BW6UwqwiOvcp9aYSAErG9fi7dYWEFE9Dzt3K9GHGbP1wcu6tERBiHPAIII-HxXeJFCbue1SGcpW9nue8CgW_RGsrwwrbVDsdVw9D9AHyQwfDkSXMqZj146vq0DahwvJqSUICPGfHnlIHkrvmX7C7OHkjW8pIJUea61Bkoe-HO_Dc1i_lDy20OcojLqSnCAtaPRHTbTC24Z-Dfhbg";

/// Keys, algorithms and signatures.
fn made() -> Vec<(Value, Algorithm, &'static str)> {
    vec![
        (
            rsa(),
            Algorithm::Rs384,
            "Bsb1BuNNiHniv-JSB2NUEHjXx-dZzRr_eYN6-wL_IMWP7N_pqVSOYMQzpveuKtuoktqI35mIzucaKcuPcaJMwkI-xzLF6QeMqmEuVLb6ejmFPDdC-4W-rOrfOoOeJbKuB-qdyb_qi8VErHzgHhhYfb6Q0S3sZcHvzS7v30OSwHIsMpuqvud35mvDCCK9xJfgSbKNzQq6xKPS7FbPA8cN7sr6kX4JavC-sYtp_5Ls4Qh2DLO8N3X-lY3dRqTT7T4Pb-EFxkrxoTZqJ2JguxJaZcST3MrEmrB2pacSlNBjo1Gae7ISTCOf9reb_iL2qADGZZf9DwROr4f0liBERL8bTg",
        ),
        (
            rsa(),
            Algorithm::Rs512,
            "sgETTaPqqjd5rc5NPxHpe13XL3ywT8f0n_GT-0K3jsEKJXCgNrQMMhe8ccwkpTl9rJdHN5WvmKSWMgwi8MmTswRz8Yx_x11poq5nWFNraNjVzqFbDYTZ4ekEiTP2wwYhLlek5yaNIE7PLFc12Qm3f7xzxBJJjh1OthnZbJXkwdgDOrhsayHpvKtBnrww0zkDQuUUWo0rCv7Z_TDOXOQFcSaO51g7LZvxw6RTvLZlzFL8dl1Ojy3JlLS7pdxFBplxGHEbT1xk3LZ6AZWJ4nf08XCGR_Y2K2K-vZTfs7uFgtt_0iG5Vr0-dcGpAoFCd7EPycEzY2A1ftUpaU8CKMe4iw",
        ),
        (
            rsa(),
            Algorithm::Ps256,
            "U-L4jsjp07OXlqDZTO1F8iXzzajEF-PDSK3iDEMJfEOaqdS-PPWYxjeTB0jnPFSfKPaFhsYcpFhXDpf6SIaVZ1BeMdr57exoU85tTgB5HTkj3m03fXd7uoPKX6HUQtuMqLzNkal3_Mx1uM-NLeHlp-pynbXczRtq3CMVzjsqkSXcCYLUVdOUHPfEJodIBhI5gLxYh2SxPwIbBVXpqhMKoNf6zbAFKWocKDkLK2eFyGBkqhNqGrKMK-wNfYxhCbqvnIF7xYSq7LC5VUitlZGBM_OyB2vQVMyhtn3BSGzW-2kG06nrFZVAO5s8BqtW97q7pl0950AnSLl06CaQooCbBA",
        ),
        (
            rsa(),
            Algorithm::Ps512,
            "rC3VguZtO51SYh-_rTmxu4OTzUmNCut8cLP-fVbmdrV05dXkhLQbWVS-_l8vvWKYJoi6SMPfzJg4QNBAM-sNPa8JbS4uJRyB6yYA3enuck1F61WCTnZOa40jkC08QogrWKsy8A5Fee8GuHLHmD1RGPuGTSaurc6-68dhcvcRCqnUuuYV20zV8wjW4KZvMqpGe04IfmuWC5yixbh8XIwL6V1-Btbj_Pv52Sd17hTxQ9cj_AfrtTRVc0XvodwGzssvTyOvEMLdiSD70jz1kP36ednByJSmotV6eI4lBbFw67eM6o9i-TeuT8y1elKSeKMqFebeXwyeza_Tb4hByiT2MQ",
        ),
        (
            p384(),
            Algorithm::Es384,
            "aW9mssQ6Yw8AjnUbWSkX77EEfIuRPTQsEDm2CXxUvo3i8r9bDbHtsxYsqCIR4K0-Y1WS9aOzJ3Bh0eyCif8ovgABl008LP_tgRKVtrxHfkmaZPSLvaOWOOgYDAXMHwwI",
        ),
    ]
}

fn set(jwk: &Value) -> KeySet {
    KeySet::of_jwks(json!({ "keys": [jwk] }).to_string().as_bytes()).expect("a JWK Set").0
}

fn token(algorithm: Algorithm, signature: &str) -> String {
    let header = format!(r#"{{"alg":"{}"}}"#, algorithm.name());
    format!("{}.{JOE}.{signature}", Base64UrlUnpadded::encode_string(header.as_bytes()))
}

#[test]
fn what_openssl_signs_is_verified_by_its_own_algorithm_and_key_only() {
    for (jwk, algorithm, signature) in made() {
        let right = token(algorithm, signature);
        let right = Compact::parse(&right).expect("a token");
        assert_eq!(set(&jwk).verify(&right, &[algorithm]), Ok(()), "{}", algorithm.name());
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            // The header is signed, too: that another algorithm refuses it is asked over the same bytes.
            let Some(key) = set(&jwk).into_only() else { panic!("one key") };
            let bytes = decode(signature).expect("base64url");
            let message = right.signed.as_bytes();
            assert!(key.verifies_message(algorithm, message, &bytes), "{}", algorithm.name());
            assert!(!key.verifies_message(other, message, &bytes), "{}", other.name());
            let named = token(other, signature);
            let named = Compact::parse(&named).expect("a token");
            assert!(set(&jwk).verify(&named, &Algorithm::ALL).is_err(), "{}", other.name());
        }
        let mut restricted = jwk.clone();
        restricted["alg"] = if algorithm == Algorithm::Es384 { "ES384" } else { "RS256" }.into();
        let verified = set(&restricted).verify(&right, &[algorithm]);
        assert_eq!(verified.is_ok(), algorithm == Algorithm::Es384, "{}", algorithm.name());
        let foreign = if jwk["kty"] == "RSA" { p384() } else { rsa() };
        assert!(set(&foreign).verify(&right, &Algorithm::ALL).is_err(), "{}", algorithm.name());
    }
}

#[test]
fn a_signature_that_is_changed_or_cut_is_none() {
    for (jwk, algorithm, signature) in made() {
        let keys = set(&jwk);
        let bytes = decode(signature).expect("base64url");
        let mut broken: Vec<Vec<u8>> = (0..bytes.len())
            .map(|place| {
                let mut changed = bytes.clone();
                changed[place] ^= 1;
                changed
            })
            .collect();
        broken.extend([
            Vec::new(),
            vec![0; bytes.len()],
            bytes[1..].to_vec(),
            bytes[..bytes.len() - 1].to_vec(),
        ]);
        broken.push([&[0], &*bytes].concat());
        for bytes in broken {
            let token = token(algorithm, &Base64UrlUnpadded::encode_string(&bytes));
            let refused = keys.verify(&Compact::parse(&token).expect("a token"), &[algorithm]);
            let why = refused.expect_err("it is no signature").why;
            assert!(matches!(why, Why::Signature | Why::UnknownKey), "{}: {why:?}", algorithm.name());
        }
    }
}

#[test]
fn the_salt_of_a_signature_is_as_long_as_its_hash() {
    let token = token(Algorithm::Ps256, WITHOUT_SALT);
    assert!(set(&rsa()).verify(&Compact::parse(&token).expect("a token"), &[Algorithm::Ps256]).is_err());
}
