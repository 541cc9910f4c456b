//! Processor time and memory, by the system's own accounting.

use std::time::Duration;

use crate::Result;

/// Clock ticks a second that `/proc` counts in; Linux has had 100 on every platform for decades.
const TICKS: u64 = 100;

/// Processor time a process has used, with that of children it has waited for.
///
/// # Errors
/// When there is no such process.
pub fn of_process(pid: u32) -> Result<Duration> {
    let fields = stat(pid)?;
    // utime, stime, cutime, cstime are fields 14 to 17 of proc(5); ours begin with the third.
    let ticks: u64 = (11..15).filter_map(|place| fields.get(place)?.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// Processor time a process and all that run below it have used.
///
/// # Errors
/// When there is no such process.
pub fn of_family(pid: u32) -> Result<Duration> {
    let mut total = of_process(pid)?;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(other) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may end while it is looked at; the parent has its time then.
        let Ok(fields) = stat(other) else { continue };
        if fields.get(1).and_then(|parent| parent.parse::<u32>().ok()) == Some(pid) {
            total += of_process(other).unwrap_or_default();
        }
    }
    Ok(total)
}

/// Memory of a process that is its own or shared, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no memory of a process")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// The fields of `/proc/pid/stat` after the name, which may hold spaces.
fn stat(pid: u32) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = text.rsplit_once(") ").ok_or("an unreadable process")?;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}
