//! Passwords: what they have to be like, and how they are kept.

use argon2::{
    Argon2, PasswordVerifier,
    password_hash::{PasswordHasher, phc::PasswordHash},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use model::{Diagnostic, Diagnostics, settings::Passwords};

/// Longest password: hashing takes as long as it is.
const LONGEST: usize = 1_000;

/// A hash that no password has, so that a user who is not there takes as long to refuse as a wrong password.
pub(super) const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm8$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The hash of a password, to be stored. It takes a while: call it where waiting is no harm.
pub(crate) fn hash(password: &str) -> Option<String> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).ok()?;
    Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

/// Whether a password has this hash. It takes a while, too.
pub(super) fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// A password that nobody can guess.
pub(crate) fn random() -> Option<String> {
    let mut bytes = [0_u8; 15];
    getrandom::fill(&mut bytes).ok()?;
    Some(Base64UrlUnpadded::encode_string(&bytes))
}

/// Everything that a new password lacks.
pub(crate) fn check(password: &str, user: &str, wanted: &Passwords) -> Result<(), Diagnostics> {
    let count = |is: fn(char) -> bool| password.chars().filter(|c| is(*c)).count();
    let counted = [
        (count(|_| true), wanted.min_length, "character", "characters"),
        (count(char::is_uppercase), wanted.upper_case, "capital letter", "capital letters"),
        (count(char::is_lowercase), wanted.lower_case, "small letter", "small letters"),
        (count(|c| c.is_numeric()), wanted.digits, "digit", "digits"),
        (
            count(|c| !c.is_alphanumeric()),
            wanted.special,
            "character that is neither letter nor digit",
            "characters that are neither letters nor digits",
        ),
    ];
    let mut problems = Diagnostics::default();
    for (found, least, one, several) in counted {
        if found < least as usize {
            let what = if least == 1 { one } else { several };
            problems.push(Diagnostic::error(
                "password",
                format!("expected at least {least} {what}, found {found}"),
            ));
        }
    }
    if password.len() > LONGEST {
        problems.push(Diagnostic::error("password", format!("expected at most {LONGEST} bytes")));
    }
    if password.to_lowercase() == user.to_lowercase() {
        problems.push(Diagnostic::error("password", "expected something else than the name of the user"));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let wanted = Passwords { upper_case: 1, digits: 2, special: 1, ..Passwords::default() };
        let problems = check("elephant7", "jane", &wanted).expect_err("it is short");
        let told: Vec<_> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "expected at least 12 characters, found 9",
                "expected at least 1 capital letter, found 0",
                "expected at least 2 digits, found 1",
                "expected at least 1 character that is neither letter nor digit, found 0",
            ]
        );
        assert_eq!(check("Elephants-77", "jane", &wanted), Ok(()));
    }

    #[test]
    fn a_name_is_no_password() {
        assert!(check("Administrator", "administrator", &Passwords::default()).is_err());
        assert!(check(&"x".repeat(LONGEST + 1), "jane", &Passwords::default()).is_err());
    }

    #[test]
    fn a_password_matches_its_hash_and_no_other() {
        let hashed = hash("correct horse battery").expect("there is randomness");
        assert!(matches("correct horse battery", &hashed));
        assert!(!matches("correct horse batterz", &hashed));
        assert!(!matches("", NOBODY));
    }
}
