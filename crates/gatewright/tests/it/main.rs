//! End to end: a real gateway and real upstreams in one process. Each module keeps one kind of promise.

mod headers;
mod hostile;
mod limits;
mod routing;
mod upstream_faults;
