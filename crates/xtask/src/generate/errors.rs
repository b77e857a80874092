//! The reference of errors: every code that a client can see.

use std::fmt::Write;

use engine::reason::{GATEWAY_REASONS, Origin, Reason};
use policies::POLICIES;

use super::schema::one_line;

pub fn page() -> String {
    let mut out = String::from(
        "# Error codes\n\n\
         Every code that an error of the gateway can carry. Codes are stable: programs may rely on them. They are in the\n\
         answer (`code`), in decision records, in events (`reasonCode`) and in the access log (`reason`). Their format, and\n\
         which status means what, is told in [Errors](../errors.md).\n\n\
         Origin: `client`, the request was not acceptable; `gateway`, the gateway refused or failed; `upstream`, the native\n\
         service refused, broke or was slow.\n\n\
         ## Of the gateway itself\n\n",
    );
    out.push_str(&table(GATEWAY_REASONS));
    for kind in POLICIES.iter().filter(|kind| !kind.reasons.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "\n## Of the policy [{0}](policies/{0}.md)\n\n{1}",
            kind.type_name,
            table(kind.reasons)
        );
    }
    out
}

pub fn table(reasons: &[&Reason]) -> String {
    let mut out = String::from("| code | status | origin | message |\n|---|---|---|---|\n");
    for reason in reasons {
        let origin = match reason.origin {
            Origin::Client => "client",
            Origin::Gateway => "gateway",
            Origin::Upstream => "upstream",
        };
        let (code, status) = (reason.code, reason.status.as_u16());
        let _ = writeln!(out, "| `{code}` | {status} | {origin} | {} |", one_line(reason.message));
    }
    out
}
