//! Policies of a chain, one after the other, with what each of them decided written down for explanations.

use engine::{
    Exchange, Outcome, Rejection, Stage, Step, Timestamp, Verdict,
    exchange::{StepRecord, StepResult},
    snapshot::{Chain, Slot},
};

use crate::worker::Worker;

/// Runs policies in their order, up to the first that refuses or answers.
pub async fn run(worker: &Worker, exchange: &mut Exchange, slots: &[Slot]) -> Verdict {
    if slots.is_empty() {
        return Ok(Outcome::Skipped);
    }
    let mut before = if exchange.recording { worker.now() } else { Timestamp::default() };
    for slot in slots {
        let verdict = match step(worker, slot, exchange) {
            Step::Done(verdict) => verdict,
            Step::Later(future) => future.await,
        };
        if exchange.recording {
            before = note_step(worker, exchange, slot.position, false, &verdict, before);
        }
        if verdict? == Outcome::Answered {
            return Ok(Outcome::Answered);
        }
    }
    Ok(Outcome::Passed)
}

/// Runs what governs callbacks before they go to the client.
pub async fn run_callback(
    worker: &Worker,
    exchange: &mut Exchange,
    chain: &Chain,
) -> Result<(), Box<Rejection>> {
    let mut before = if exchange.recording { worker.now() } else { Timestamp::default() };
    for slot in chain.callback() {
        let verdict = match slot.policy.get().callback(exchange) {
            Step::Done(verdict) => verdict,
            Step::Later(future) => future.await,
        };
        if exchange.recording {
            before = note_step(worker, exchange, slot.position, false, &verdict, before);
        }
        verdict?;
    }
    Ok(())
}

/// Calls a policy. In a rehearsal it may be known already who calls.
fn step<'a>(worker: &Worker, slot: &'a Slot, exchange: &'a mut Exchange) -> Step<'a> {
    match &worker.stand_in {
        Some(stand_in) if slot.identifies => stand_in.identify(slot, exchange),
        _ => slot.policy.get().request(exchange),
    }
}

/// Writes down what a policy decided; returns the time, from which the next one is measured.
fn note_step(
    worker: &Worker,
    exchange: &mut Exchange,
    policy: u16,
    on_response: bool,
    verdict: &Verdict,
    before: Timestamp,
) -> Timestamp {
    let now = worker.now();
    let result = match verdict {
        Ok(outcome) => StepResult::Let(*outcome),
        Err(rejection) => StepResult::Refused(rejection.reason),
    };
    let note = exchange.take_note();
    exchange.steps.push(StepRecord {
        policy,
        on_response,
        result,
        nanos: u32::try_from(now.since(before).as_nanos()).unwrap_or(u32::MAX),
        note,
    });
    now
}

/// Runs policies on the response, up to the first that refuses it: those of error handling, or all others.
pub async fn run_response(
    worker: &Worker,
    exchange: &mut Exchange,
    chain: &Chain,
    error_handling: bool,
) -> Result<(), Box<Rejection>> {
    let mut before = if exchange.recording { worker.now() } else { Timestamp::default() };
    // What saw no request has nothing to say about its answer.
    let first = if exchange.callback { Stage::ResponseProcessing } else { Stage::Transport };
    let stages = |slot: &&Slot| slot.stage >= first && (slot.stage == Stage::ErrorHandling) == error_handling;
    for slot in chain.response().filter(stages) {
        let verdict = match slot.policy.get().response(exchange) {
            Step::Done(verdict) => verdict,
            Step::Later(future) => future.await,
        };
        if exchange.recording {
            before = note_step(worker, exchange, slot.position, true, &verdict, before);
        }
        verdict?;
    }
    Ok(())
}
