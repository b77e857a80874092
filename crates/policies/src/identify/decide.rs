//! From the findings of the rules to one application, or to a refusal.

use std::borrow::Cow;

use engine::{CompiledApi, Exchange, Outcome, Reason, Rejection, Verdict, keys::ApplicationIndex};
use http::{
    HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    Authorizer, IdentifyLookup, IdentifyMatch, MISSING, NOT_IDENTIFIED, NOT_REGISTERED, SUSPENDED,
    identifier::{Finding, Found, Late},
    strip,
};

/// What the findings amount to.
enum Decision {
    Application(ApplicationIndex),
    /// Right, but it belongs to no application.
    Unattributed,
    Refused(&'static Reason, Cow<'static, str>),
}

impl Authorizer {
    /// Goes on where a rule has to wait; `findings` are those of the rules before it.
    pub(super) async fn wait(&self, exchange: &mut Exchange, mut findings: Vec<Finding>) -> Verdict {
        for rule in self.rules.iter().skip(findings.len()) {
            let Late { finding, calls } = match rule.identify(exchange) {
                Found::Now(finding) => finding.into(),
                Found::Later(late) => late.await,
            };
            calls.into_iter().for_each(|call| exchange.add_call(call));
            findings.push(finding);
            if self.is_settled(exchange, &findings) {
                break;
            }
        }
        self.conclude(exchange, findings)
    }

    /// Whether the rules after these could change nothing.
    pub(super) fn is_settled(&self, exchange: &Exchange, findings: &[Finding]) -> bool {
        match (self.connector, findings.last()) {
            (IdentifyMatch::Any, Some(Finding::Right { applications, .. })) => {
                applications.iter().any(|application| self.may_be(exchange, *application))
            }
            (IdentifyMatch::All, Some(Finding::Wrong(..) | Finding::Failed(_))) => true,
            _ => false,
        }
    }

    pub(super) fn conclude(&self, exchange: &mut Exchange, findings: Vec<Finding>) -> Verdict {
        let decision = match self.connector {
            IdentifyMatch::Any => self.any(exchange, &findings),
            IdentifyMatch::All => self.all(exchange, &findings),
        };
        // Where all rules have to agree, what one of them found out alone is nothing.
        let counts = self.connector == IdentifyMatch::Any || !matches!(decision, Decision::Refused(..));
        let how = findings.iter().rev().find_map(|finding| match finding {
            Finding::Right { how, .. } if counts => how.as_deref(),
            _ => None,
        });
        let verdict = self.verdict(exchange, decision, how);
        if verdict.is_ok() {
            if !self.keep_credentials {
                // Rules that were not asked may have something to hide, too.
                for (index, rule) in self.rules.iter().enumerate() {
                    let verified = matches!(findings.get(index), Some(Finding::Right { applications, proven, .. })
                        if *proven || !applications.is_empty());
                    rule.strip(exchange, verified);
                }
            }
            strip::headers(&self.identity_headers, exchange);
        }
        if verdict.is_err() {
            // Nothing goes on, but events and logs tell of it: keys do not belong there.
            self.rules.iter().for_each(|rule| rule.strip(exchange, false));
        }
        for finding in findings.into_iter().filter(|_| counts) {
            if let Finding::Right { who: Some(who), .. } = finding {
                exchange.extras_mut().authorization.add(*who);
            }
        }
        verdict
    }

    fn any(&self, exchange: &Exchange, findings: &[Finding]) -> Decision {
        let mut unattributed = false;
        // The first one is told: rules are tried in their order.
        let mut refusal = None;
        for finding in findings {
            match finding {
                Finding::Right { applications, proven, .. } => {
                    match self.choose(exchange, applications, *proven) {
                        Decision::Unattributed => unattributed |= *proven || !self.asks_for_proof(exchange),
                        Decision::Refused(reason, detail) => {
                            refusal.get_or_insert((reason, detail));
                        }
                        decision @ Decision::Application(_) => return decision,
                    }
                }
                Finding::Wrong(reason, detail) => {
                    refusal.get_or_insert((reason, detail.clone().into()));
                }
                Finding::Failed(reason) => {
                    refusal.get_or_insert((reason, "".into()));
                }
                Finding::Absent => {}
            }
        }
        match refusal {
            Some((reason, detail)) => Decision::Refused(reason, detail),
            None if unattributed && self.lookup == IdentifyLookup::Relaxed => Decision::Unattributed,
            None if findings.iter().any(|finding| matches!(finding, Finding::Absent)) => {
                self.missing(exchange)
            }
            None => Decision::Refused(&NOT_IDENTIFIED, "no rule recognised an application".into()),
        }
    }

    /// 401 tells a client what to send, so it is only for those who can send something.
    fn missing(&self, exchange: &Exchange) -> Decision {
        let reason = if self.asks_for_proof(exchange) { &MISSING } else { &NOT_IDENTIFIED };
        Decision::Refused(reason, "".into())
    }

    fn all(&self, exchange: &Exchange, findings: &[Finding]) -> Decision {
        let mut common: Option<Vec<ApplicationIndex>> = None;
        let mut all_proven = true;
        for finding in findings {
            match finding {
                Finding::Absent => return self.missing(exchange),
                Finding::Wrong(reason, detail) => return Decision::Refused(reason, detail.clone().into()),
                Finding::Failed(reason) => return Decision::Refused(reason, "".into()),
                Finding::Right { applications, proven, .. } => {
                    all_proven &= *proven;
                    let still = |application: &ApplicationIndex| {
                        common.as_ref().is_none_or(|common| common.contains(application))
                    };
                    common = Some(applications.iter().copied().filter(still).collect());
                }
            }
        }
        match self.choose(exchange, &common.unwrap_or_default(), all_proven) {
            Decision::Unattributed if self.lookup != IdentifyLookup::Relaxed => {
                Decision::Refused(&NOT_IDENTIFIED, "the rules agree on no application".into())
            }
            decision => decision,
        }
    }

    /// The first application that may call; `Unattributed` when there is none at all.
    fn choose(&self, exchange: &Exchange, applications: &[ApplicationIndex], proven: bool) -> Decision {
        if let Some(chosen) = applications.iter().find(|application| self.may_be(exchange, **application)) {
            return Decision::Application(*chosen);
        }
        let name = |index: &ApplicationIndex| {
            exchange.snapshot.applications.get(*index).map_or("?", |application| &application.name)
        };
        if let Some(suspended) = applications.iter().find(|index| self.is_looked_at(exchange, **index)) {
            return Decision::Refused(&SUSPENDED, format!("application {}", name(suspended)).into());
        }
        if proven
            && exchange.api().is_some_and(CompiledApi::offers_plans)
            && let Some(known) = applications.iter().find(|index| !self.is_suspended(exchange, **index))
        {
            // It has no subscription, which is told by whoever asks for one.
            return Decision::Application(*known);
        }
        match applications.first() {
            // Whoever shares an address with an application has not shown to be it.
            Some(other) if proven => {
                let detail = format!("application {} does not name this API in `apis`", name(other));
                Decision::Refused(&NOT_REGISTERED, detail.into())
            }
            _ => Decision::Unattributed,
        }
    }

    fn may_be(&self, exchange: &Exchange, application: ApplicationIndex) -> bool {
        !self.is_suspended(exchange, application) && self.is_looked_at(exchange, application)
    }

    fn is_suspended(&self, exchange: &Exchange, application: ApplicationIndex) -> bool {
        exchange.snapshot.applications.get(application).is_none_or(|known| known.suspended)
    }

    fn is_looked_at(&self, exchange: &Exchange, application: ApplicationIndex) -> bool {
        self.lookup != IdentifyLookup::Strict || exchange.may_call(application)
    }

    /// Whether some rule is for credentials: then an address that nobody claims is no reason to let a call pass.
    fn asks_for_proof(&self, exchange: &Exchange) -> bool {
        self.rules.iter().any(|rule| rule.challenge(exchange).is_some())
    }

    fn verdict(&self, exchange: &mut Exchange, decision: Decision, how: Option<&str>) -> Verdict {
        let (reason, detail) = match decision {
            Decision::Application(application) => {
                self.attribute(exchange, Some(application), how);
                return Ok(Outcome::Passed);
            }
            Decision::Unattributed => {
                self.attribute(exchange, self.default(exchange), how);
                return Ok(Outcome::Passed);
            }
            Decision::Refused(reason, detail) => (reason, detail),
        };
        if self.allow_anonymous {
            self.attribute(exchange, self.default(exchange), how);
            return Ok(Outcome::Skipped);
        }
        let mut rejection = Rejection::new(reason);
        if !detail.is_empty() {
            rejection = rejection.detail(detail);
        }
        for challenge in self.rules.iter().filter_map(|rule| rule.challenge_for(exchange, reason)) {
            rejection = rejection.header(WWW_AUTHENTICATE, challenge);
        }
        if reason.status == StatusCode::SERVICE_UNAVAILABLE {
            rejection = rejection.header(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Err(rejection)
    }

    /// The application for calls that belong to no other one. A suspended one is none.
    fn default(&self, exchange: &Exchange) -> Option<ApplicationIndex> {
        let applications = &exchange.snapshot.applications;
        let index = applications.by_name(self.default_application.as_ref()?)?;
        applications.get(index).filter(|application| !application.suspended).map(|_| index)
    }

    fn attribute(&self, exchange: &mut Exchange, application: Option<ApplicationIndex>, how: Option<&str>) {
        exchange.application = application;
        let name = exchange.application().map(|application| application.name.clone());
        exchange.note(|| match (name, how) {
            (Some(name), Some(how)) => ["application ", &name, ", ", how].concat().into(),
            (Some(name), None) => ["application ", &name].concat().into(),
            (None, Some(how)) => ["no application, ", how].concat().into(),
            (None, None) => "no application".into(),
        });
    }
}
