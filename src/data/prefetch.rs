//! Numbered work, done ahead on worker threads and delivered in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::error::{Result, complain, file_error};

/// How many finished items may wait, over all workers (at least one each).
const WAITING: usize = 4;

/// Makes item number n: a function of n alone, so that it does not matter who calls it, and when. The flag is set when
/// nobody wants the item any more.
type Make<T> = dyn Fn(usize, &AtomicBool) -> Result<T> + Send + Sync;

/// Delivers `make(first)`, `make(first + 1)`, … in that order.
///
/// Worker w makes every `workers`-th item, starting with the w-th, so the order of delivery needs no sorting and cannot
/// depend on which thread is faster. With 0 workers each item is made when it is asked for.
pub(super) struct Prefetch<T> {
    make: Arc<Make<T>>,
    first: usize,
    delivered: usize,
    stop: Arc<AtomicBool>,
    workers: Vec<(Receiver<Result<T>>, JoinHandle<()>)>,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts `workers` threads on the items from `first` on, up to and excluding `end` if there is one.
    pub(super) fn new(
        first: usize,
        end: Option<usize>,
        workers: usize,
        make: impl Fn(usize, &AtomicBool) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        let mut this = Self {
            make: Arc::new(make),
            first,
            delivered: 0,
            stop: Arc::default(),
            workers: Vec::with_capacity(workers),
        };
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(WAITING.div_ceil(workers));
            let (make, stop) = (this.make.clone(), this.stop.clone());
            let numbers = (first + worker..end.unwrap_or(usize::MAX)).step_by(workers);
            let thread = std::thread::Builder::new()
                .name(format!("pictures {worker}"))
                .spawn(move || work(numbers, &*make, &stop, &sender))
                .map_err(|error| file_error("start", "a worker thread", error))?;
            this.workers.push((receiver, thread));
        }
        Ok(this)
    }

    /// The next item, or the error that making it met. Asking goes on after an error: the item after it comes next.
    pub(super) fn next(&mut self) -> Result<T> {
        let number = self.delivered;
        self.delivered += 1;
        if self.workers.is_empty() {
            return (self.make)(self.first + number, &self.stop);
        }
        let (receiver, _) = &self.workers[number % self.workers.len()];
        // A closed channel: the thread has panicked, or the numbers are used up.
        receiver.recv().unwrap_or_else(|_| {
            Err(complain(
                format!("batch {} from a worker thread", self.first + number),
                "that the thread has stopped",
            )
            .advice("this is a defect of the program; what stands above this line helps to find it")
            .into())
        })
    }
}

fn work<T>(
    numbers: impl Iterator<Item = usize>,
    make: &Make<T>,
    stop: &AtomicBool,
    sender: &SyncSender<Result<T>>,
) {
    for number in numbers {
        let item = make(number, stop);
        if stop.load(Ordering::Relaxed) || sender.send(item).is_err() {
            return;
        }
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for (receiver, thread) in self.workers.drain(..) {
            // Without a receiver, a worker that waits for room is woken and ends.
            drop(receiver);
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}
