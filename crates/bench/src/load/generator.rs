//! The loop that keeps connections busy: closed (each asks when it was answered) or open (requests have their times).

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant, SystemTime},
};

use super::{Conn, Outcome, Pace, Plan, Received, conn::Tls};
use crate::epoll::{Epoll, Interest};

/// Failures after which a slice is given up: there is nothing to measure then.
const TOO_MANY: u64 = 200;
/// How long answers are waited for after the last request.
const DRAIN: Duration = Duration::from_secs(2);
/// Pause between tries to connect.
const RECONNECT: Duration = Duration::from_millis(5);

pub struct Generator<'a> {
    plan: &'a Plan,
    requests: &'a [Vec<u8>],
    expected: &'a [u8],
    tls: Option<Tls>,
    epoll: Epoll,
    conns: Vec<Option<Conn>>,
    /// Connections without a request, the longest idle first.
    idle: VecDeque<usize>,
    /// Connections that are to be opened again, and not before this time.
    broken: Vec<usize>,
    reconnect_at: Instant,
    /// Times of requests that are due while no connection is idle.
    backlog: VecDeque<Instant>,
    next_request: usize,
    in_flight: usize,
    measured_from: Instant,
    sending_until: Instant,
    measured: u64,
    latencies: Vec<u32>,
    outcome: Outcome,
}

impl<'a> Generator<'a> {
    pub fn connect(
        plan: &'a Plan,
        requests: &'a [Vec<u8>],
        expected: &'a [u8],
        tls: Option<Tls>,
    ) -> io::Result<Self> {
        let now = Instant::now();
        let mut generator = Self {
            plan,
            requests,
            expected,
            tls,
            epoll: Epoll::new()?,
            conns: (0..plan.connections).map(|_| None).collect(),
            idle: VecDeque::with_capacity(plan.connections),
            broken: Vec::new(),
            reconnect_at: now,
            backlog: VecDeque::new(),
            next_request: 0,
            in_flight: 0,
            measured_from: now,
            sending_until: now,
            measured: 0,
            latencies: Vec::with_capacity(1 << 16),
            outcome: Outcome::default(),
        };
        for index in 0..plan.connections {
            generator.open(index)?;
        }
        Ok(generator)
    }

    fn open(&mut self, index: usize) -> io::Result<()> {
        let conn = Conn::open(self.plan.address, self.tls.as_ref(), self.expected)?;
        conn.unblock()?;
        self.epoll.add(&conn.stream, index, Interest::Read)?;
        self.conns[index] = Some(conn);
        self.idle.push_back(index);
        Ok(())
    }

    pub fn run(&mut self) -> io::Result<()> {
        let start = Instant::now();
        self.measured_from = start + Duration::from_secs_f64(self.plan.warm_up);
        self.sending_until = self.measured_from + Duration::from_secs_f64(self.plan.seconds);
        let interval = match self.plan.pace {
            Pace::Rate(rate) => Some(Duration::from_secs_f64(1.0 / rate)),
            Pace::Saturated | Pace::Idle => None,
        };
        let give_up = self.sending_until + DRAIN;
        let mut due = start;
        let mut tokens = Vec::new();
        loop {
            let mut now = Instant::now();
            let sending = now < self.sending_until && !self.all_shown();
            if !sending && (self.in_flight == 0 && self.backlog.is_empty() || now >= give_up) {
                break;
            }
            self.reopen(now);
            let mut wait = if sending { self.sending_until - now } else { give_up - now };
            if let Some(interval) = interval {
                while due <= now && due < self.sending_until {
                    self.backlog.push_back(due);
                    due += interval;
                }
                self.send_backlog();
                now = Instant::now();
                if due < self.sending_until {
                    wait = wait.min(due.saturating_duration_since(now));
                }
            } else if sending {
                while !self.all_shown()
                    && let Some(index) = self.idle.pop_front()
                {
                    self.ask(index, Instant::now());
                }
            }
            if !self.broken.is_empty() {
                wait = wait.min(RECONNECT);
            }
            tokens.clear();
            self.epoll.wait(Some(wait), &mut tokens)?;
            for &index in &tokens {
                self.receive(index);
            }
            if self.plan.watch.is_none() && self.outcome.failed >= TOO_MANY {
                break;
            }
        }
        let unanswered = (self.in_flight + self.backlog.len()) as u64;
        if unanswered > 0 {
            self.fail("requests without an answer at the end".into());
            self.outcome.failed += unanswered - 1;
        }
        Ok(())
    }

    /// Whether each request was sent that is to be sent once.
    fn all_shown(&self) -> bool {
        self.plan.shows_each_once() && self.next_request >= self.requests.len()
    }

    fn send_backlog(&mut self) {
        while !self.backlog.is_empty() {
            let Some(index) = self.idle.pop_front() else { break };
            if let Some(asked) = self.backlog.pop_front() {
                self.ask(index, asked);
            }
        }
    }

    fn ask(&mut self, index: usize, asked: Instant) {
        let request = &self.requests[self.next_request % self.requests.len()];
        self.next_request += 1;
        let Some(conn) = &mut self.conns[index] else { return };
        match conn.ask(request, asked) {
            Ok(()) => self.in_flight += 1,
            Err(error) => {
                self.fail(format!("a request could not be sent: {error}"));
                self.lose(index);
            }
        }
    }

    fn receive(&mut self, index: usize) {
        let Some(conn) = &mut self.conns[index] else { return };
        let waited = conn.is_waiting();
        match conn.receive(self.expected) {
            Received::Part => {}
            Received::Answer { asked, close, upstream } => {
                self.in_flight -= 1;
                self.count(asked, upstream);
                if close {
                    self.lose(index);
                } else {
                    self.idle.push_back(index);
                }
            }
            // Servers may close idle connections; it only costs a new one.
            Received::Closed => self.lose(index),
            Received::Wrong(what) => {
                self.in_flight -= usize::from(waited);
                self.fail(what);
                self.lose(index);
            }
        }
    }

    fn count(&mut self, asked: Instant, upstream: Option<u8>) {
        let now = Instant::now();
        self.outcome.requests += 1;
        match self.plan.pace {
            Pace::Rate(_) if asked >= self.measured_from => {
                self.measured += 1;
                let nanos = (now - asked).as_nanos();
                self.latencies.push(u32::try_from(nanos).unwrap_or(u32::MAX));
            }
            Pace::Saturated if now >= self.measured_from && now < self.sending_until => self.measured += 1,
            _ => {}
        }
        if let Some(watched) = self.plan.watch {
            if upstream == Some(watched) {
                self.outcome.first_new.get_or_insert_with(unix_nanos);
            } else {
                self.outcome.last_old = Some(unix_nanos());
            }
        }
    }

    fn fail(&mut self, what: String) {
        self.outcome.failed += 1;
        self.outcome.first_failure.get_or_insert(what);
    }

    fn lose(&mut self, index: usize) {
        // Dropping the socket takes it out of the epoll set.
        self.conns[index] = None;
        self.idle.retain(|&other| other != index);
        self.broken.push(index);
    }

    fn reopen(&mut self, now: Instant) {
        if now < self.reconnect_at {
            return;
        }
        while let Some(index) = self.broken.pop() {
            if let Err(error) = self.open(index) {
                self.fail(format!("a connection was refused: {error}"));
                self.broken.push(index);
                self.reconnect_at = now + RECONNECT;
                break;
            }
        }
    }

    pub fn outcome(mut self) -> Outcome {
        self.latencies.sort_unstable();
        let at = |share: f64| {
            let rank = (self.latencies.len() as f64 * share) as usize;
            self.latencies.get(rank).map_or(0.0, |&nanos| f64::from(nanos) / 1_000.0)
        };
        self.outcome.p50_us = at(0.50);
        self.outcome.p99_us = at(0.99);
        self.outcome.throughput = self.measured as f64 / self.plan.seconds;
        self.outcome
    }
}

fn unix_nanos() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
