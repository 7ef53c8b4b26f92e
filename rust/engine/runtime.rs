//! One runtime for every session of the process.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::doorbell::Doorbell;
use super::process::Process;
use super::tls::TlsConfigs;

/// What a thread that looked up a name waits for another one before it ends.
const LOOKUP_KEEP_ALIVE: Duration = Duration::from_millis(500);

/// The process's engine, while it has sessions.
static RUNNING: Mutex<Running> = Mutex::new(Running { engine: Weak::new(), num_threads: 1 });

struct Running {
    engine: Weak<Engine>,
    num_threads: usize,
}

impl Running {
    /// A parent's engine does not run in its child.
    fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.upgrade().filter(|engine| engine.is_here())
    }
}

/// Threads that serve connections. It ends, and its threads with it, when the last of its connections is dropped.
#[derive(Debug)]
pub struct Engine {
    workers: Vec<Arc<Worker>>,
    threads: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
    next: AtomicUsize,
    process: Process,
}

impl Engine {
    /// The process's engine: the running one, or a new one. A forked child gets its own.
    ///
    /// # Errors
    /// The operating system's, where it gives no thread or no descriptor.
    pub fn of_process() -> io::Result<Arc<Self>> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = running.engine() {
            return Ok(engine);
        }
        let engine = Arc::new(Self::start(running.num_threads)?);
        running.engine = Arc::downgrade(&engine);
        Ok(engine)
    }

    /// How many threads the next engine has. `false` where one runs with another number.
    pub fn set_num_threads(num_threads: usize) -> bool {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if running.engine().is_some() && running.num_threads != num_threads {
            return false;
        }
        running.num_threads = num_threads;
        true
    }

    /// Whether this engine runs in this process, and not in the one that it was forked from.
    pub fn is_here(&self) -> bool {
        self.process.is_this()
    }

    /// Sessions go around.
    pub(super) fn worker(&self) -> &Arc<Worker> {
        &self.workers[self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len()]
    }

    fn start(num_threads: usize) -> io::Result<Self> {
        let mut engine = Self {
            workers: Vec::new(),
            threads: Vec::new(),
            next: AtomicUsize::new(0),
            process: Process::this(),
        };
        let configs = Arc::new(TlsConfigs::default());
        for number in 0..num_threads {
            let runtime = Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .thread_keep_alive(LOOKUP_KEEP_ALIVE)
                .build()?;
            let doorbell = Arc::new(Doorbell::default());
            let (stop, stopped) = oneshot::channel();
            let worker = Worker {
                handle: runtime.handle().clone(),
                doorbell: Arc::clone(&doorbell),
                tls: Arc::clone(&configs),
            };
            let serve = move || {
                runtime.spawn(async move { doorbell.answer().await });
                // An error says that nobody is left who could stop it.
                let _ = runtime.block_on(stopped);
                // Not waiting for a name that is still being looked up.
                runtime.shutdown_background();
            };
            let thread = thread::Builder::new().name(format!("voicelane-{number}")).spawn(serve)?;
            engine.workers.push(Arc::new(worker));
            engine.threads.push((stop, thread));
        }
        Ok(engine)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for (stop, thread) in self.threads.drain(..) {
            if !self.process.is_this() {
                // The parent's: here there is no such thread to wait for.
                std::mem::forget((stop, thread));
                continue;
            }
            // An error says that it stopped by itself.
            let _ = stop.send(());
            let _ = thread.join();
        }
        self.workers.iter().for_each(|worker| worker.doorbell.forget());
    }
}

/// One of the engine's threads.
#[derive(Debug)]
pub struct Worker {
    handle: Handle,
    doorbell: Arc<Doorbell>,
    tls: Arc<TlsConfigs>,
}

impl Worker {
    pub(super) fn doorbell(&self) -> &Arc<Doorbell> {
        &self.doorbell
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.handle.spawn(task).abort_handle()
    }

    pub(super) fn tls(&self) -> &TlsConfigs {
        &self.tls
    }
}
