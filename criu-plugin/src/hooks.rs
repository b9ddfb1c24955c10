//! What CRIU calls, and when; a panic goes no further than here.
//!
//! | CRIU's stage | call | what is done |
//! |---|---|---|
//! | dump, restore | `init` | the plugin goes before all others |
//! | dump | `CHECKPOINT_DEVICES`, a process, all being held (since 4.0) | the first time: all lists are saved. Sleepers in `semop(2)` are restarted |
//! | | `exit` | where CRIU has no such hook: the same; where the dump has failed: what was written is removed |
//! | restore | `init` | the files are read and checked |
//! | | `RESUME_DEVICES_LATE`, a process, all being held | its lists are restored |

use std::any::Any;
use std::ffi::c_int;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow, bail};

use crate::dump::{self, Dump};
use crate::restore::Restore;
use crate::{criu, order, tracees};

/// `CR_PLUGIN_STAGE__*`.
const DUMP: c_int = 0;
const PRE_DUMP: c_int = 1;
const RESTORE: c_int = 2;

/// What a hook answers that did its work: CRIU then asks the other plugins, too.
const DONE: c_int = -libc::ENOTSUP;
const FAILED: c_int = -1;

/// What CRIU is doing.
enum Stage {
    Other,
    PreDump,
    Dump(Dump),
    Restore(Restore),
    /// A restore that has failed, and whose tasks are killed.
    Failed,
}

impl Stage {
    /// Whether CRIU must ask for undo lists.
    fn is_asked(&self) -> bool {
        match self {
            Self::Dump(_) => true,
            Self::Restore(restore) => !restore.left().is_empty(),
            Self::Other | Self::PreDump | Self::Failed => false,
        }
    }
}

static STAGE: Mutex<Stage> = Mutex::new(Stage::Other);

/// Does something with the stage. What it fails with is told.
fn with<T>(work: impl FnOnce(&mut Stage) -> Result<T>) -> Result<T> {
    let mut stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let result = panic::catch_unwind(AssertUnwindSafe(|| work(&mut stage)));
    let result = result.unwrap_or_else(|panic| Err(anyhow!("a bug: {}", text(&*panic))));
    result.inspect_err(|error| criu::error(&format!("{error:#}")))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}

/// The plugin was loaded.
pub(crate) extern "C" fn init(stage: c_int) -> c_int {
    let begin = |now: &mut Stage| {
        let next = match stage {
            DUMP => Stage::Dump(Dump::default()),
            PRE_DUMP => Stage::PreDump,
            RESTORE => Stage::Restore(Restore::read(&criu::image_dir()?)?),
            _ => Stage::Other,
        };
        if next.is_asked() {
            order::go_first()?;
        }
        *now = next;
        Ok(())
    };
    if with(begin).is_ok() { 0 } else { FAILED }
}

/// `CHECKPOINT_DEVICES`.
pub(crate) extern "C" fn checkpoint(pid: c_int) -> c_int {
    let save = |stage: &mut Stage| {
        if let Stage::Dump(dump) = stage
            && !dump.is_done()
        {
            dump.save()?;
        }
        dump::restart(pid)
    };
    if with(save).is_ok() { DONE } else { FAILED }
}

/// `RESUME_DEVICES_LATE`.
pub(crate) extern "C" fn resume(pid: c_int) -> c_int {
    let restore = |stage: &mut Stage| match stage {
        Stage::Restore(restore) => restore.process(pid),
        Stage::Failed => bail!("process {pid} is killed, too"),
        _ => Ok(()),
    };
    if with(restore).is_ok() {
        return DONE;
    }
    let fail = |stage: &mut Stage| {
        // CRIU goes on whatever this hook answers, until it finds that a task is gone.
        if !matches!(stage, Stage::Failed) {
            *stage = Stage::Failed;
            tracees::kill();
        }
        Ok(())
    };
    // It tells by itself what it fails with.
    let _ = with(fail);
    FAILED
}

/// The plugin will be unloaded.
pub(crate) extern "C" fn exit(stage: c_int, result: c_int) {
    order::leave();
    let end = |now: &mut Stage| match std::mem::replace(now, Stage::Other) {
        Stage::Dump(dump) => end_dump(dump, result),
        Stage::Restore(restore) if result == 0 && !restore.left().is_empty() => {
            bail!("the undo lists of the processes {:?} were not restored: CRIU did not ask for it", restore.left())
        }
        _ => Ok(()),
    };
    // What it fails with is told already, and CRIU takes no answer.
    if with(end).is_err() && stage == DUMP && result == 0 {
        criu::fail_dump();
    }
}

fn end_dump(mut dump: Dump, result: c_int) -> Result<()> {
    if result != 0 {
        dump.remove();
    }
    if !criu::has_checkpoint_hook() {
        // For those that go on; for those that are killed it means nothing.
        tracees::processes().into_iter().try_for_each(dump::restart)?;
    }
    if result == 0 && !dump.is_done() { dump.save_late() } else { Ok(()) }
}
