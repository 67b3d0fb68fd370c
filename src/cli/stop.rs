//! Stopping softly: SIGTERM, or Ctrl-C, lets a run finish its step and keep a checkpoint; the second one stops at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens from now on.
pub fn listen() {
    #[cfg(unix)]
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `note` does only what is allowed inside a signal handler: atomics, `write` and `signal`.
        unsafe { libc::signal(signal, note as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }
}

/// Whether somebody asked for an end.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// What an observer answers.
pub fn go_on() -> ControlFlow<()> {
    if asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

#[cfg(unix)]
extern "C" fn note(signal: libc::c_int) {
    const LINE: &[u8] = b"stopping after this step (once more stops at once)\n";
    ASKED.store(true, Ordering::Relaxed);
    // SAFETY: both are on POSIX's list of functions for signal handlers, and the buffer is as long as it says.
    unsafe {
        libc::write(2, LINE.as_ptr().cast(), LINE.len());
        libc::signal(signal, libc::SIG_DFL);
    }
}
