//! The page that asks for a code after the password.

use std::time::Duration;

use super::*;
use crate::{
    manager_sessions::Browser as Console,
    second_factor::{App, set_up},
};

async fn with_app(gateway: &Gateway) -> App {
    let ada = gateway.admin("ada", PASSWORD);
    set_up(gateway, &Console::of(&ada, "ada", PASSWORD).await).await
}

/// The page with the code, and what else its form sends.
async fn asked(browser: &Browser<'_>) -> (Response, String) {
    let page = browser.open(&shop("")).await;
    let fields = format!("username=ada&password={}", PASSWORD.replace(' ', "+"));
    let page = browser.submit(&page, &fields).await;
    assert_eq!(page.status(), 200, "{}", page.text());
    let ticket = between(&page.text(), "name=\"step\" value=\"", "\"").to_owned();
    (page, ticket)
}

#[tokio::test]
async fn whoever_has_a_second_factor_is_logged_in_with_a_code_and_not_before() {
    let gateway = started().await;
    let app = with_app(&gateway).await;
    let browser = Browser::new(&gateway);
    let (page, ticket) = asked(&browser).await;
    assert!(page.text().contains("autocomplete=\"one-time-code\""), "{}", page.text());
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    assert!(!browser.cookies.borrow().contains_key("gatewright_login"), "nobody is logged in yet");
    assert!(browser.open(&shop("")).await.text().contains("name=\"password\""));

    let wrong = browser.submit(&page, &format!("step={ticket}&code=nothing")).await;
    assert_eq!(wrong.status(), 401);
    assert!(wrong.text().contains("wrong, or was used before"), "{}", wrong.text());
    // What one browser was given is nothing in another.
    let other = Browser::new(&gateway);
    let (foreign, _) = asked(&other).await;
    let code = app.shows(&gateway);
    let stolen = other.submit(&foreign, &format!("step={ticket}&code={code}")).await;
    assert_eq!(stolen.status(), 400);

    let right = browser.submit(&wrong, &format!("step={ticket}&code={code}")).await;
    let consent = browser.follow(&right).await;
    assert!(consent.text().contains("<strong>ada</strong>"), "{}", consent.text());
    // It was for one login.
    gateway.clock().advance(Duration::from_secs(30));
    let fresh = app.shows(&gateway);
    let again = browser.submit(&wrong, &format!("step={ticket}&code={fresh}")).await;
    assert_eq!(again.status(), 400);
}

#[tokio::test]
async fn a_code_comes_soon_and_while_the_password_is_what_it_was() {
    let gateway = started().await;
    let app = with_app(&gateway).await;
    let browser = Browser::new(&gateway);
    let (page, ticket) = asked(&browser).await;
    gateway.clock().advance(Duration::from_secs(5 * 60 + 1));
    let late = browser.submit(&page, &format!("step={ticket}&code={}", app.shows(&gateway))).await;
    assert_eq!(late.status(), 400);

    let (page, ticket) = asked(&browser).await;
    let put =
        testkit::json_request("PUT", "/users/ada/password", &json!({ "password": "another horse battery" }));
    assert_eq!(gateway.administrator().send(put).await.status(), 204);
    let changed = browser.submit(&page, &format!("step={ticket}&code={}", app.shows(&gateway))).await;
    assert_eq!(changed.status(), 400);
}

#[tokio::test]
async fn the_page_speaks_german_and_codes_lock_the_name_there_too() {
    let gateway = started().await;
    let app = with_app(&gateway).await;
    let browser = Browser::new(&gateway);
    let (page, ticket) = asked(&browser).await;
    let mut last = page;
    for _ in 0..10 {
        last = browser.submit(&last, &format!("step={ticket}&code=guess")).await;
        assert_eq!(last.status(), 401, "{}", last.text());
    }
    let locked = browser.submit(&last, &format!("step={ticket}&code={}", app.shows(&gateway))).await;
    assert_eq!(locked.status(), 429);
    let german = browser.open(&shop("&ui_locales=de")).await;
    assert!(german.text().contains("Anmelden"));
    gateway.clock().advance(Duration::from_secs(16 * 60));
    let fields = format!("username=ada&password={}", PASSWORD.replace(' ', "+"));
    let page = browser.submit(&german, &fields).await;
    assert!(page.text().contains("Wiederherstellungscodes"), "{}", page.text());
}
