//! CPU time and memory of process trees, from `/proc`. The scheduler's own accounting in nanoseconds: wall time says
//! little on a machine where proxy, load and upstream share the cores.

use std::{fs, process};

/// The process and everything it started, as far as it still runs.
pub fn tree(root: u32) -> Vec<u32> {
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(&pid) = tree.get(next) {
        for task in entries(&format!("/proc/{pid}/task")) {
            let children =
                fs::read_to_string(format!("/proc/{pid}/task/{task}/children")).unwrap_or_default();
            tree.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        next += 1;
    }
    tree
}

/// Nanoseconds on a CPU of all threads of these processes.
///
/// Threads that ended are not in it; the proxies measured here keep theirs.
pub fn nanos(pids: &[u32]) -> u64 {
    let threads = pids.iter().flat_map(|pid| {
        entries(&format!("/proc/{pid}/task"))
            .into_iter()
            .filter_map(move |task| fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat")).ok())
    });
    threads.filter_map(|stat| stat.split_ascii_whitespace().next()?.parse::<u64>().ok()).sum()
}

/// Nanoseconds on a CPU of this process.
pub fn own_nanos() -> u64 {
    nanos(&[process::id()])
}

/// Memory of these processes in KiB: the proportional share where the system tells it, since forked workers share
/// most of their pages, else the resident size.
pub fn memory_kib(pids: &[u32]) -> u64 {
    pids.iter()
        .filter_map(|pid| {
            fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
                .ok()
                .and_then(|text| field(&text, "Pss:"))
                .or_else(|| field(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:"))
        })
        .sum()
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace().next()?.parse().ok()
}

fn entries(directory: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_of_this_process_is_counted() {
        let before = own_nanos();
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 60 {
            std::hint::black_box(0);
        }
        assert!(own_nanos() - before > 5_000_000);
        assert!(memory_kib(&[process::id()]) > 100);
        assert_eq!(tree(process::id())[0], process::id());
    }
}
