//! `gatewright key`: a new API key, shown once, and the hash that belongs into the configuration.

use std::process::ExitCode;

use engine::compile::applications::sha256;

use super::{fail, print};

/// So that a key is recognised where it should not be: in logs, in repositories, by scanners.
const PREFIX: &str = "gwk_";

pub fn run() -> ExitCode {
    let mut random = [0_u8; 24];
    if let Err(error) = getrandom::fill(&mut random) {
        return fail(format_args!("the system has no random numbers: {error}"));
    }
    let key = make(&random);
    print(format_args!("key   {key}\nhash  sha256:{}\n", hex(&sha256(key.as_bytes()))));
    print("The key is shown only now: give it to the application. The hash goes into the configuration:");
    print(format_args!(
        "\napplications:\n  - name: …\n    apiKeys:\n      - hash: sha256:{}",
        hex(&sha256(key.as_bytes()))
    ));
    ExitCode::SUCCESS
}

/// Prefix, random digits, and a checksum that tells a mistyped key from a wrong one.
fn make(random: &[u8]) -> String {
    let body = hex(random);
    let check = hex(&sha256(body.as_bytes())[..4]);
    format!("{PREFIX}{body}{check}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_prefix_and_checksum() {
        let key = make(&[7; 24]);
        assert!(key.starts_with("gwk_0707") && key.len() == 4 + 48 + 8, "{key}");
        assert_ne!(make(&[7; 24]), make(&[8; 24]));
    }
}
