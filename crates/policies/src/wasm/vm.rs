//! The machines that run modules: one for each worker and configuration, shared by the requests of that worker, each
//! with a context of its own. A machine that fails is dead: requests that began on it fail with it, and the next one
//! gets another. Nothing is shared between workers, so that no call takes a lock.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, OnceLock, Weak},
    time::{Duration, Instant},
};

use bytes::Bytes;
use engine::{Clock, Exchange, Payload, RequestHead};
use model::Diagnostic;
use wasmi::{
    CompilationMode, Config, Engine, ExternType, Instance, Linker, Module, ResumableCall, Store,
    StoreLimitsBuilder, TrapCode, Val, ValType,
};

use super::{
    abi::{self, Host, LocalResponse},
    maps::{Map, has_body},
};

/// Machines that one worker keeps; the one that was not used for longest makes room.
const MOST_KEPT: usize = 64;
/// Fuel between two looks at the time.
const SLICE: u64 = 500_000;
/// Time to start, once for each worker.
const STARTING: Duration = Duration::from_secs(1);
/// The context that requests are made from.
const ROOT: i32 = 1;
const ABI: [&str; 2] = ["proxy_abi_version_0_2_1", "proxy_abi_version_0_2_0"];
const ALLOCATE: [&str; 2] = ["proxy_on_memory_allocate", "malloc"];
/// What the gateway calls: how many numbers it gives, and whether it gets one.
const CALLED: [(&str, usize, bool); 11] = [
    ("proxy_on_context_create", 2, false),
    ("proxy_on_vm_start", 2, true),
    ("proxy_on_configure", 2, true),
    ("proxy_on_request_headers", 3, true),
    ("proxy_on_request_body", 3, true),
    ("proxy_on_response_headers", 3, true),
    ("proxy_on_response_body", 3, true),
    ("proxy_on_done", 1, true),
    ("proxy_on_log", 1, false),
    ("proxy_on_delete", 1, false),
    ("proxy_on_memory_allocate", 1, true),
];

/// A module with its configuration and limits, shared by all workers and by all policies that say the same.
pub struct Program {
    pub module: Arc<[u8]>,
    pub configuration: Bytes,
    /// Whether bodies of requests and of responses are read for it.
    pub bodies: (bool, bool),
    pub fuel: u64,
    pub time: Duration,
    pub memory: usize,
    pub clock: Clock,
    pub checked: OnceLock<Result<(), Diagnostic>>,
}

/// Why a module did not come to its end.
#[derive(Debug)]
pub enum Failure {
    Time,
    Fuel,
    Failed(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Time => f.write_str("it ran for longer than it may"),
            Self::Fuel => f.write_str("it used more fuel than it may"),
            Self::Failed(problem) => f.write_str(problem),
        }
    }
}

impl From<wasmi::Error> for Failure {
    fn from(error: wasmi::Error) -> Self {
        match error.as_trap_code() {
            Some(TrapCode::OutOfFuel) => Self::Fuel,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// What a module left behind.
#[derive(Default)]
pub struct Left {
    pub log: String,
    pub answer: Option<LocalResponse>,
    pub changed: bool,
}

impl Program {
    /// Whether it can be run at all.
    pub fn check(&self) -> Result<(), Diagnostic> {
        self.checked.get_or_init(|| self.try_out()).clone()
    }

    fn try_out(&self) -> Result<(), Diagnostic> {
        let engine = engine();
        let module = Module::new(&engine, &self.module).map_err(|error| {
            Diagnostic::error("file", format!("found no WebAssembly module that can be used: {error}"))
        })?;
        if !ABI.iter().any(|name| module.get_export(name).is_some()) {
            let found = module.exports().map(|export| export.name().to_owned());
            let found = found.filter(|name| name.starts_with("proxy_abi_version_")).collect::<Vec<_>>();
            let found = if found.is_empty() { "no version of it".to_owned() } else { found.join(", ") };
            return Err(Diagnostic::error(
                "file",
                format!("found {found}, expected the proxy-wasm ABI 0.2.1"),
            )
            .help("modules export `proxy_abi_version_0_2_1`"));
        }
        let mut linker = Linker::new(&engine);
        abi::offer(&mut linker).map_err(|error| Diagnostic::error("file", error.to_string()))?;
        for import in module.imports() {
            let known = import.module() == "env"
                && (abi::UNSUPPORTED.contains(&import.name()) || abi::is_offered(import.name()))
                && matches!(import.ty(), ExternType::Func(_));
            if !known {
                let help = if import.module().starts_with("wasi") {
                    "modules get no files, environment or network; build for `wasm32-unknown-unknown`"
                } else {
                    "only functions of the proxy-wasm ABI can be imported"
                };
                let found = format!(
                    "found an import of `{}.{}`, which does not exist",
                    import.module(),
                    import.name()
                );
                return Err(Diagnostic::error("file", found).help(help));
            }
        }
        for (name, numbers, answers) in CALLED {
            let Some(export) = module.get_export(name) else { continue };
            let fits = export.func().is_some_and(|kind| {
                let is_number = |kind: &ValType| *kind == ValType::I32;
                kind.params().len() == numbers
                    && kind.results().len() == usize::from(answers)
                    && kind.params().iter().chain(kind.results()).all(is_number)
            });
            if !fits {
                return Err(Diagnostic::error(
                    "file",
                    format!("`{name}` does not have the signature of ABI 0.2.1"),
                ));
            }
        }
        match Machine::new(self, Weak::new()) {
            Ok(_) => Ok(()),
            Err(problem) => Err(Diagnostic::error("file", format!("the module does not start: {problem}"))),
        }
    }
}

fn engine() -> Engine {
    let mut config = Config::default();
    config.consume_fuel(true).wasm_multi_memory(false).ignore_custom_sections(true);
    // Translating later would cost the fuel of whoever calls first.
    config.compilation_mode(CompilationMode::Eager);
    config.set_max_recursion_depth(512).set_max_cached_stacks(2);
    Engine::new(&config)
}

thread_local! {
    static KEPT: RefCell<Vec<Rc<RefCell<Machine>>>> = const { RefCell::new(Vec::new()) };
}

/// This worker's machine for a program.
fn machine(program: &Arc<Program>) -> Result<Rc<RefCell<Machine>>, Failure> {
    let found = KEPT.with_borrow_mut(|kept| {
        let is_it = |machine: &Rc<RefCell<Machine>>| {
            machine
                .try_borrow()
                .is_ok_and(|m| !m.is_dead && std::ptr::eq(m.program.as_ptr(), Arc::as_ptr(program)))
        };
        let place = kept.iter().rposition(is_it)?;
        let machine = kept.remove(place);
        kept.push(Rc::clone(&machine));
        Some(machine)
    });
    if let Some(machine) = found {
        return Ok(machine);
    }
    let machine = Rc::new(RefCell::new(Machine::new(program, Arc::downgrade(program))?));
    KEPT.with_borrow_mut(|kept| {
        // Modules of configurations that are gone go with them.
        kept.retain(|m| m.try_borrow().is_ok_and(|m| !m.is_dead && m.program.strong_count() > 0));
        if kept.len() == MOST_KEPT {
            kept.remove(0);
        }
        kept.push(Rc::clone(&machine));
    });
    Ok(machine)
}

/// One request in a module. It is ended there when it is dropped, however the request ended.
pub struct Context {
    machine: Rc<RefCell<Machine>>,
    id: i32,
}

impl Context {
    pub fn new(program: &Arc<Program>) -> Result<Self, Failure> {
        let machine = machine(program)?;
        let id = {
            let mut machine = machine.borrow_mut();
            let id = machine.next;
            machine.next = id.checked_add(1).unwrap_or(ROOT + 1);
            machine.refuel();
            machine.call("proxy_on_context_create", &[id, ROOT])?;
            id
        };
        Ok(Self { machine, id })
    }

    pub fn is_of(&self, program: &Arc<Program>) -> bool {
        self.machine.try_borrow().is_ok_and(|m| std::ptr::eq(m.program.as_ptr(), Arc::as_ptr(program)))
    }

    /// Lets the module see the request, or the response.
    pub fn run(&self, exchange: &mut Exchange, on_response: bool) -> (Result<(), Failure>, Left) {
        let mut machine = self.machine.borrow_mut();
        if machine.is_dead {
            let problem = "the machine that the request began on has failed meanwhile".to_owned();
            return (Err(Failure::Failed(problem)), Left::default());
        }
        machine.refuel();
        let budget = machine.budget;
        let empty = Exchange::new(
            exchange.id,
            exchange.started,
            exchange.client.clone(),
            exchange.snapshot.clone(),
            RequestHead::default(),
        );
        let host = machine.store.data_mut();
        host.exchange = Some(std::mem::replace(exchange, empty));
        (host.on_response, host.budget, host.changed) = (on_response, budget, false);
        let result = machine.show(self.id);
        let host = machine.store.data_mut();
        if let Some(lent) = host.exchange.take() {
            *exchange = lent;
        }
        let (log, answer) = (std::mem::take(&mut host.log), host.answer.take());
        let changed = host.changed;
        (result, Left { log, answer, changed })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // A machine that is busy is running another request's context, which cannot be while this one ends.
        let Ok(mut machine) = self.machine.try_borrow_mut() else { return };
        if machine.is_dead {
            return;
        }
        machine.refuel();
        for name in ["proxy_on_done", "proxy_on_log", "proxy_on_delete"] {
            if machine.call(name, &[self.id]).is_err() {
                return;
            }
        }
        machine.store.data_mut().log.clear();
    }
}

struct Machine {
    store: Store<Host>,
    instance: Instance,
    program: Weak<Program>,
    /// The next context.
    next: i32,
    is_dead: bool,
    fuel: u64,
    time: Duration,
    budget: usize,
    /// What is left of the call's fuel, beyond the slice that the store has, and when it has to end.
    left: u64,
    end: Instant,
}

impl Machine {
    fn new(program: &Program, known_as: Weak<Program>) -> Result<Self, Failure> {
        let engine = engine();
        let module = Module::new(&engine, &program.module)?;
        let mut linker = Linker::new(&engine);
        abi::offer(&mut linker).map_err(|error| Failure::Failed(error.to_string()))?;
        for import in module.imports().filter(|import| abi::UNSUPPORTED.contains(&import.name())) {
            let Some(kind) = import.ty().func() else { continue };
            let answer = |_: wasmi::Caller<'_, Host>, _: &[Val], results: &mut [Val]| {
                results.iter_mut().for_each(|result| *result = Val::I32(abi::unimplemented()));
                Ok(())
            };
            linker
                .func_new("env", import.name(), kind.clone(), answer)
                .map_err(|error| Failure::Failed(error.to_string()))?;
        }
        let limits = StoreLimitsBuilder::new()
            .memory_size(program.memory)
            .table_elements(100_000)
            .instances(1)
            .memories(1)
            .tables(16)
            .build();
        let host = Host::new(limits, program.clock.clone(), program.configuration.clone(), program.bodies);
        let mut store = Store::new(&engine, host);
        store.limiter(|host| &mut host.limits);
        // Starting happens once for each worker, and may take more.
        let fuel = program.fuel.saturating_mul(10);
        store.set_fuel(fuel)?;
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        let host_memory = instance.get_memory(&store, "memory");
        let allocate =
            ALLOCATE.iter().find_map(|name| instance.get_typed_func::<i32, i32>(&store, name).ok());
        let host = store.data_mut();
        (host.memory, host.allocate) = (host_memory, allocate);
        let mut machine = Self {
            store,
            instance,
            program: known_as,
            next: ROOT + 1,
            is_dead: false,
            fuel,
            time: STARTING,
            budget: program.memory,
            left: 0,
            end: Instant::now(),
        };
        machine.refuel();
        let first = ["_initialize", "_start"];
        if let Some(name) =
            first.iter().find(|name| machine.instance.get_func(&machine.store, name).is_some())
        {
            machine.call(name, &[])?;
        }
        machine.call("proxy_on_context_create", &[ROOT, 0])?;
        let length = i32::try_from(program.configuration.len()).unwrap_or(i32::MAX);
        for (name, length) in [("proxy_on_vm_start", 0), ("proxy_on_configure", length)] {
            if machine.call(name, &[ROOT, length])? == Some(0) {
                let log = std::mem::take(&mut machine.store.data_mut().log);
                return Err(Failure::Failed(format!("{name} refused its configuration; log: {log}")));
            }
        }
        machine.store.data_mut().log.clear();
        (machine.fuel, machine.time) = (program.fuel, program.time);
        Ok(machine)
    }

    /// What one stage of a request may use.
    fn refuel(&mut self) {
        let first = SLICE.min(self.fuel);
        (self.left, self.end) = (self.fuel - first, Instant::now() + self.time);
        // It cannot fail: the engine counts fuel.
        let _ = self.store.set_fuel(first);
    }

    /// Shows the module its message: the headers, then the body if it is there.
    fn show(&mut self, id: i32) -> Result<(), Failure> {
        let host = self.store.data();
        let Some(exchange) = &host.exchange else { return Ok(()) };
        let (names, map, buffered, payload) = if host.on_response {
            let names = ["proxy_on_response_headers", "proxy_on_response_body"];
            (names, Map::Response, host.response_body, &exchange.response_payload)
        } else {
            let names = ["proxy_on_request_headers", "proxy_on_request_body"];
            (names, Map::Request, host.request_body, &exchange.request_payload)
        };
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let length =
            payload.as_ref().filter(|_| buffered).map_or(0, |payload: &Payload| payload.bytes().len());
        let more = match map {
            _ if buffered => length > 0,
            Map::Request => has_body(&exchange.headers),
            Map::Response => has_body(&exchange.response_headers),
        };
        let count = number(map.pairs(exchange).len());
        let mut action = self.call(names[0], &[id, count, i32::from(!more)])?;
        if length > 0 && self.store.data().answer.is_none() {
            action = self.call(names[1], &[id, number(length), 1])?.or(action);
        }
        if action == Some(1) && self.store.data().answer.is_none() {
            return Err(Failure::Failed("it paused the request, and nothing would let that go on".into()));
        }
        Ok(())
    }

    /// Calls a function of the module, if there is one of this name.
    fn call(&mut self, name: &str, numbers: &[i32]) -> Result<Option<i32>, Failure> {
        let Some(function) = self.instance.get_func(&self.store, name) else { return Ok(None) };
        let result = self.call_function(function, numbers);
        // What a trap leaves in the memory of the module is anybody's guess.
        self.is_dead |= result.is_err();
        result
    }

    fn call_function(&mut self, function: wasmi::Func, numbers: &[i32]) -> Result<Option<i32>, Failure> {
        let mut values = [Val::I32(0), Val::I32(0), Val::I32(0)];
        for (value, number) in values.iter_mut().zip(numbers) {
            *value = Val::I32(*number);
        }
        let mut results = [Val::I32(0)];
        let count = function.ty(&self.store).results().len();
        let results = results.get_mut(..count).ok_or_else(|| Failure::Failed("too many results".into()))?;
        let given = values.get(..numbers.len()).unwrap_or_default();
        let mut state = function.call_resumable(&mut self.store, given, results)?;
        loop {
            state = match state {
                ResumableCall::Finished => break,
                ResumableCall::HostTrap(trap) => return Err(trap.into_host_error().into()),
                ResumableCall::OutOfFuel(waiting) => {
                    if Instant::now() >= self.end {
                        return Err(Failure::Time);
                    }
                    let more = waiting.required_fuel().max(SLICE.min(self.left));
                    self.left = self.left.checked_sub(more).filter(|_| more > 0).ok_or(Failure::Fuel)?;
                    self.store.set_fuel(more)?;
                    waiting.resume(&mut self.store, results)?
                }
            };
        }
        Ok(results.first().and_then(Val::i32))
    }
}
