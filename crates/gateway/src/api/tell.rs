//! Telling of calls as they end: one thread looks for all who follow, and only while somebody does.

use crate::index::Handle;
use crate::tail::ended;
use anyhow::Result;
use gatehouse_audit::Cursor;
use gatehouse_server::office::Ended;
use gatehouse_store::Index;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// How long between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// How far behind who follows may be: so many looks with something in them. Who is further behind is told so.
const LOOKS_KEPT: usize = 64;

/// Who tells, while somebody listens.
#[derive(Clone, Default)]
pub(super) struct Teller(Arc<Mutex<Option<broadcast::Sender<Ended>>>>);

// === impl Teller ===

impl Teller {
    /// Listens from now on.
    pub(super) fn follow(
        &self,
        data: &Path,
        handle: &Handle,
        index: impl FnOnce() -> Result<Index>,
    ) -> Result<broadcast::Receiver<Ended>> {
        let mut telling = self.lock();
        if let Some(sender) = &*telling {
            return Ok(sender.subscribe());
        }
        let cursors = index()?.cursors()?.into_iter().collect();
        let (sender, receiver) = broadcast::channel(LOOKS_KEPT);
        let (teller, handle, data) = (self.clone(), handle.clone(), data.to_owned());
        let tell = sender.clone();
        std::thread::Builder::new()
            .name("tail".to_owned())
            .spawn(move || teller.tell(&data, &handle, cursors, &tell))?;
        *telling = Some(sender);
        Ok(receiver)
    }

    fn tell(
        &self,
        data: &Path,
        handle: &Handle,
        mut cursors: HashMap<String, Cursor>,
        sender: &broadcast::Sender<Ended>,
    ) {
        loop {
            std::thread::sleep(LOOK);
            {
                let mut telling = self.lock();
                if sender.receiver_count() == 0 {
                    *telling = None;
                    return;
                }
            }
            let told = ended(data, &mut cursors).and_then(|calls| {
                if !calls.is_empty() {
                    handle.catch_up()?;
                    // Whoever has left since is no error.
                    let _ = sender.send(Arc::new(calls));
                }
                Ok(())
            });
            if let Err(error) = told {
                tracing::error!(%error, "calls cannot be followed");
                // Those who listen are told by the end of it.
                *self.lock() = None;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<broadcast::Sender<Ended>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
