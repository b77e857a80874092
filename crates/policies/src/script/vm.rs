//! The virtual machines that run scripts: one for each worker and script, kept for the next request. Making one takes
//! milliseconds, calling it microseconds. Nothing that a request leaves can be seen by the next: everything that
//! outlives a call is frozen (`prelude.js`), and a machine that ran out of time or memory is thrown away.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, OnceLock, Weak},
    time::{Duration, Instant},
};

use engine::{Clock, Exchange};
use model::Diagnostic;
use rquickjs::{
    Context, Ctx, Error, Function, Persistent, Runtime, Value, context::EvalOptions, context::intrinsic,
};

use super::host::{self, Host, Left};

const PRELUDE: &str = include_str!("prelude.js");
/// Machines that one worker keeps; the one that was not used for longest makes room.
const MOST_KEPT: usize = 64;

/// Everything but what knows time better than the gateway's clock, and what tells when memory is given back.
type Intrinsics = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
);

/// A script with its limits, shared by all workers and by all policies that say the same.
pub struct Program {
    pub source: String,
    pub on_response: bool,
    pub body: bool,
    pub time: Duration,
    pub memory: usize,
    pub stack: usize,
    pub clock: Clock,
    pub checked: OnceLock<Result<(), Diagnostic>>,
}

/// Why a script did not come to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    Time,
    Memory,
    Thrown(String),
}

impl Program {
    /// Whether it can be run at all; a problem is told as one of `source`.
    pub fn check(&self) -> Result<(), Diagnostic> {
        let check = || match Vm::new(self, Weak::new()) {
            Ok(_) => Ok(()),
            Err(Failure::Thrown(problem)) => Err(Diagnostic::error("source", problem)),
            Err(Failure::Memory) => {
                Err(Diagnostic::error("limits.memory", "found too little to load the script"))
            }
            Err(Failure::Time) => Err(Diagnostic::error("source", "the script takes too long to load")),
        };
        self.checked.get_or_init(check).clone()
    }
}

thread_local! {
    static KEPT: RefCell<Vec<Vm>> = const { RefCell::new(Vec::new()) };
}

/// Runs a script on a request, on this worker's machine.
pub fn run(program: &Arc<Program>, exchange: &mut Exchange) -> (Result<(), Failure>, Option<Left>) {
    let kept = KEPT.with_borrow_mut(|kept| {
        let place = kept.iter().rposition(|vm| std::ptr::eq(vm.program.as_ptr(), Arc::as_ptr(program)))?;
        Some(kept.remove(place))
    });
    let mut vm = match kept.map_or_else(|| Vm::new(program, Arc::downgrade(program)), Ok) {
        Ok(vm) => vm,
        Err(failure) => return (Err(failure), None),
    };
    let (result, left) = vm.run(program, exchange);
    if !matches!(result, Err(Failure::Time | Failure::Memory)) {
        KEPT.with_borrow_mut(|kept| {
            if vm.is_new {
                // Scripts of configurations that are gone go with them.
                kept.retain(|vm| vm.program.strong_count() > 0);
                if kept.len() == MOST_KEPT {
                    kept.remove(0);
                }
                vm.is_new = false;
            }
            kept.push(vm);
        });
    }
    (result, Some(left))
}

/// Says when a script has to end.
struct Watch {
    end: Cell<Instant>,
    over: Cell<bool>,
}

impl Watch {
    fn is_over(&self) -> bool {
        if Instant::now() >= self.end.get() {
            self.over.set(true);
        }
        self.over.get()
    }
}

/// One machine. What refers to the runtime comes before it, and is dropped before it.
struct Vm {
    script: Persistent<Function<'static>>,
    context: Context,
    runtime: Runtime,
    host: Rc<Host>,
    watch: Rc<Watch>,
    program: Weak<Program>,
    is_new: bool,
}

impl Vm {
    fn new(program: &Program, known_as: Weak<Program>) -> Result<Self, Failure> {
        let loading = Instant::now() + Duration::from_secs(1);
        let watch = Rc::new(Watch { end: Cell::new(loading), over: Cell::new(false) });
        let runtime = Runtime::new().map_err(|_| Failure::Memory)?;
        runtime.set_memory_limit(program.memory);
        runtime.set_max_stack_size(program.stack);
        let watching = Rc::clone(&watch);
        runtime.set_interrupt_handler(Some(Box::new(move || watching.is_over())));
        let context = Context::custom::<Intrinsics>(&runtime).map_err(|_| Failure::Memory)?;
        let host = Rc::new(Host::new(program.on_response, program.body, program.clock.clone()));
        let script = context
            .with(|ctx| load(&ctx, &host, &program.source).map_err(|error| failure(&ctx, &error, &watch)))?;
        Ok(Self { script, context, runtime, host, watch, program: known_as, is_new: true })
    }

    fn run(&self, program: &Program, exchange: &mut Exchange) -> (Result<(), Failure>, Left) {
        self.watch.over.set(false);
        self.watch.end.set(Instant::now() + program.time);
        // Rings of objects that earlier calls left are looked for before memory is short.
        self.runtime.set_gc_threshold(program.memory / 2);
        self.host.lend(exchange, program.memory, || {
            self.context.with(|ctx| {
                let script = self.script.clone().restore(&ctx);
                let result = script.and_then(|script| script.call::<_, ()>(()));
                result.or_else(|error| {
                    let failure = failure(&ctx, &error, &self.watch);
                    if self.host.has_decided() && failure != Failure::Time { Ok(()) } else { Err(failure) }
                })
            })?;
            // What the script promised itself.
            while self.runtime.is_job_pending() {
                if self.watch.is_over() {
                    return Err(Failure::Time);
                }
                let _ = self.runtime.execute_pending_job();
            }
            if self.watch.over.get() { Err(Failure::Time) } else { Ok(()) }
        })
    }
}

fn load<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    source: &str,
) -> rquickjs::Result<Persistent<Function<'static>>> {
    let evaluate = |name: &str, text: String| {
        let mut options = EvalOptions::default();
        options.filename = Some(name.to_owned());
        ctx.eval_with_options::<Function<'js>, _>(text, options)
    };
    let prelude = evaluate("gateway", PRELUDE.to_owned())?;
    let bind: Function<'js> = prelude.call((host::object(ctx, host)?,))?;
    // On one line with the first of the script, so that lines count from one.
    let wrapped = format!(
        "(function (request, response, context, variables, log, reject, respond) {{ \"use strict\"; {source}\n}})"
    );
    let script = evaluate("script", wrapped)?;
    let bound: Function<'js> = bind.call((script,))?;
    Ok(Persistent::save(ctx, bound))
}

/// What an error of the engine means. What was thrown is looked at with the limits of the script.
fn failure(ctx: &Ctx<'_>, error: &Error, watch: &Watch) -> Failure {
    let thrown = matches!(error, Error::Exception).then(|| ctx.catch());
    if watch.over.get() {
        return Failure::Time;
    }
    match thrown {
        None => match error {
            Error::Allocation => Failure::Memory,
            other => Failure::Thrown(other.to_string()),
        },
        // So the engine says that there was no memory to say it with.
        Some(value) if value.is_null() => Failure::Memory,
        Some(value) => thrown_value(&value),
    }
}

fn thrown_value(value: &Value<'_>) -> Failure {
    let Some(exception) = value.as_exception() else {
        let text = value.as_string().and_then(|text| text.to_string().ok());
        return Failure::Thrown(format!(
            "thrown: {}",
            text.as_deref().map_or("a value that is no error", short)
        ));
    };
    let message = exception.message().unwrap_or_default();
    if message == "out of memory" {
        return Failure::Memory;
    }
    let name: Option<String> = exception.as_object().get("name").ok();
    let name = name.as_deref().map_or("Error", short);
    let stack = exception.stack().unwrap_or_default();
    Failure::Thrown(match line_of(&stack) {
        Some(line) => format!("line {line}: {name}: {}", short(&message)),
        None => format!("{name}: {}", short(&message)),
    })
}

/// The first line of the script in `… (script:3:5)`.
fn line_of(stack: &str) -> Option<u32> {
    stack.lines().find_map(|line| {
        let (_, place) = line.rsplit_once("script:")?;
        place.split(':').next()?.trim_end_matches(')').parse().ok()
    })
}

fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(300)]
}
