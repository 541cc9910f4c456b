//! What a child process gives up before it touches a hostile file: memory, processor time, files, processes, network.
//!
//! Limits are of the operating system and hold for what the process becomes by `exec`, too. The network is cut by a
//! filter of system calls where the kernel is Linux with seccomp, which needs no privilege; [`Cut`] says whether it
//! could be. A process without the filter may still be unable to open a socket, for want of descriptors.

use std::io;

use rlimit::Resource;

/// Whether the filter of system calls is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// No socket can be made or used.
    Done,
    /// This system has no such filter, or does not permit it.
    NotPermitted,
}

/// Lowers a limit; one that is already stricter stays.
pub(super) fn set(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let (_, hard_now) = resource.get()?;
    resource.set(soft.min(hard_now), hard.min(hard_now))
}

/// Limits this process. Soft and hard limits are equal, so they cannot be raised again; for processor
/// time the hard one is a second later, as the soft one tells by its signal what happened.
pub(super) fn limit(memory_bytes: u64, cpu_seconds: u64, descriptors: u64) -> io::Result<()> {
    set(Resource::CORE, 0, 0)?;
    set(Resource::FSIZE, 0, 0)?;
    set(Resource::NOFILE, descriptors, descriptors)?;
    set(Resource::CPU, cpu_seconds, cpu_seconds.saturating_add(1))?;
    let address_space = set(Resource::AS, memory_bytes, memory_bytes);
    if cfg!(target_os = "linux") {
        address_space
    } else {
        // macOS has the limit but not always the means: the wall clock still holds.
        Ok(())
    }
}

/// The limit counts all processes and threads of the account, so zero means: none in addition to those
/// there are. The superuser is exempt from it.
pub(super) fn forbid_processes() -> io::Result<()> {
    set(Resource::NPROC, 0, 0)
}

/// Forbids sockets, and ways round them, to all threads of this process and to what it becomes: such a call fails, and
/// nothing else does. With `and_exec`, the process cannot become another program either.
#[cfg(target_os = "linux")]
pub(super) fn cut_network(and_exec: bool) -> Cut {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else { return Cut::NotPermitted };
    let exec: &[i64] = if and_exec { &[libc::SYS_execve, libc::SYS_execveat] } else { &[] };
    let rules = FORBIDDEN.iter().chain(exec).map(|call| (*call, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let program = SeccompFilter::new(rules, SeccompAction::Allow, denied, architecture).and_then(BpfProgram::try_from);
    match program.map(|program| apply_filter_all_threads(&program)) {
        Ok(Ok(())) => Cut::Done,
        _ => Cut::NotPermitted,
    }
}

/// There is no such filter here.
#[cfg(not(target_os = "linux"))]
pub(super) fn cut_network(_and_exec: bool) -> Cut {
    Cut::NotPermitted
}

/// Sockets; rings, through which sockets are made without a call of their own; and what reaches into other processes.
#[cfg(target_os = "linux")]
const FORBIDDEN: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_bpf,
    libc::SYS_mount,
    libc::SYS_unshare,
    libc::SYS_setns,
];
