//! What users read, in the languages that there are.

use axum::http::{HeaderMap, header::ACCEPT_LANGUAGE};

/// Everything that the pages say.
#[derive(Debug, PartialEq, Eq)]
pub struct Texts {
    /// As in `lang` of HTML.
    pub language: &'static str,
    pub log_in: &'static str,
    pub log_out: &'static str,
    pub to_go_on_to: &'static str,
    pub user: &'static str,
    pub password: &'static str,
    pub wrong: &'static str,
    pub wait: &'static str,
    pub away: &'static str,
    pub must_change: &'static str,
    pub code: &'static str,
    pub code_help: &'static str,
    pub code_wrong: &'static str,
    pub must_set_up_second_factor: &'static str,
    pub begin_again: &'static str,
    pub allow_access: &'static str,
    pub wants_to: &'static str,
    pub logged_in_as: &'static str,
    pub sent_to: &'static str,
    pub unknown_client: &'static str,
    pub allow: &'static str,
    pub deny: &'static str,
    pub cannot_go_on: &'static str,
    pub logged_out: &'static str,
    pub may_close: &'static str,
    pub openid: &'static str,
    pub profile: &'static str,
    pub email: &'static str,
    pub groups: &'static str,
    pub nothing_else: &'static str,
    pub connect_device: &'static str,
    pub device_code: &'static str,
    pub device_unknown: &'static str,
    pub device_done: &'static str,
    pub device_denied: &'static str,
    pub only_if_yours: &'static str,
    pub go_on: &'static str,
}

static ENGLISH: Texts = Texts {
    language: "en",
    log_in: "Log in",
    log_out: "Log out",
    to_go_on_to: "To go on to",
    user: "User",
    password: "Password",
    wrong: "The user or the password is wrong.",
    wait: "Too many passwords were wrong. Wait a while, then try again.",
    away: "Nobody can be logged in at the moment. Try again later.",
    must_change: "Your password is temporary or too old. Change it first where you manage your account, then log in here.",
    code: "Code",
    code_help: "The six digits that your authenticator app shows, or one of your recovery codes.",
    code_wrong: "The code is wrong, or was used before. Wait for the next one.",
    must_set_up_second_factor: "You need a second factor. Set it up first where you manage your account, then log in here.",
    begin_again: "The page was open too long. Please try again.",
    allow_access: "Allow access",
    wants_to: "would like to:",
    logged_in_as: "You are logged in as",
    sent_to: "Afterwards you are sent to",
    unknown_client: "Whoever runs it has registered it under this name, and nobody here has checked who it is. Allow it only if you have just begun this yourself.",
    allow: "Allow",
    deny: "Do not allow",
    cannot_go_on: "This cannot go on",
    logged_out: "You are logged out",
    may_close: "You can close this page.",
    openid: "know who you are",
    profile: "see your name",
    email: "see your e-mail address",
    groups: "see which groups you are in",
    nothing_else: "know that you have logged in",
    connect_device: "Connect a device",
    device_code: "Code that the device shows",
    device_unknown: "The code is not known, or is over. Look at the device again.",
    device_done: "The device is connected",
    device_denied: "The device is not connected",
    only_if_yours: "Allow it only if you have the device before you, and it shows this code.",
    go_on: "Go on",
};

static GERMAN: Texts = Texts {
    language: "de",
    log_in: "Anmelden",
    log_out: "Abmelden",
    to_go_on_to: "Weiter zu",
    user: "Benutzer",
    password: "Passwort",
    wrong: "Benutzer oder Passwort ist falsch.",
    wait: "Zu viele Passwörter waren falsch. Bitte warten Sie etwas und versuchen Sie es dann noch einmal.",
    away: "Zurzeit kann sich niemand anmelden. Bitte versuchen Sie es später noch einmal.",
    must_change: "Ihr Passwort ist vorläufig oder zu alt. Ändern Sie es zuerst dort, wo Sie Ihr Konto verwalten, und melden Sie sich dann hier an.",
    code: "Code",
    code_help: "Die sechs Ziffern, die Ihre Authenticator-App zeigt, oder einer Ihrer Wiederherstellungscodes.",
    code_wrong: "Der Code ist falsch oder wurde schon benutzt. Warten Sie auf den nächsten.",
    must_set_up_second_factor: "Sie brauchen einen zweiten Faktor. Richten Sie ihn zuerst dort ein, wo Sie Ihr Konto verwalten, und melden Sie sich dann hier an.",
    begin_again: "Die Seite war zu lange offen. Bitte versuchen Sie es noch einmal.",
    allow_access: "Zugriff erlauben",
    wants_to: "möchte:",
    logged_in_as: "Sie sind angemeldet als",
    sent_to: "Danach geht es weiter zu",
    unknown_client: "Wer die Anwendung betreibt, hat sie unter diesem Namen angemeldet; niemand hier hat geprüft, wer das ist. Erlauben Sie es nur, wenn Sie das gerade selbst begonnen haben.",
    allow: "Erlauben",
    deny: "Nicht erlauben",
    cannot_go_on: "Hier geht es nicht weiter",
    logged_out: "Sie sind abgemeldet",
    may_close: "Sie können diese Seite schließen.",
    openid: "wissen, wer Sie sind",
    profile: "Ihren Namen sehen",
    email: "Ihre E-Mail-Adresse sehen",
    groups: "sehen, in welchen Gruppen Sie sind",
    nothing_else: "wissen, dass Sie sich angemeldet haben",
    connect_device: "Gerät verbinden",
    device_code: "Code, den das Gerät zeigt",
    device_unknown: "Der Code ist nicht bekannt oder abgelaufen. Bitte sehen Sie noch einmal auf das Gerät.",
    device_done: "Das Gerät ist verbunden",
    device_denied: "Das Gerät ist nicht verbunden",
    only_if_yours: "Erlauben Sie es nur, wenn Sie das Gerät vor sich haben und es diesen Code zeigt.",
    go_on: "Weiter",
};

impl Texts {
    /// In the language that a client asks for, or else the browser.
    pub fn of(locales: Option<&str>, headers: &HeaderMap) -> &'static Self {
        let asked = locales.unwrap_or_default().split(' ');
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Browsers list the languages in the order in which they are liked.
        let accepted = accepted.split(',').map(|one| one.split(';').next().unwrap_or_default().trim());
        let known = |tag: &str| match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str()
        {
            "de" => Some(&GERMAN),
            "en" => Some(&ENGLISH),
            _ => None,
        };
        asked.chain(accepted).find_map(known).unwrap_or(&ENGLISH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_in_the_language_of_the_client_or_of_the_browser() {
        let of = |locales: Option<&str>, accepted: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, accepted.parse().expect("a value"));
            Texts::of(locales, &headers).language
        };
        for (locales, accepted, wanted) in [
            (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
            (None, "fr;q=1, de", "de"),
            (Some("fr en-GB"), "de", "en"),
            (None, "*", "en"),
            (Some(""), "", "en"),
        ] {
            assert_eq!(of(locales, accepted), wanted, "{locales:?} {accepted}");
        }
    }
}
