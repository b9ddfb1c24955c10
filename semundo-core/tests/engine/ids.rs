//! Identifiers, against the live kernel's: the same sets made and removed in a new IPC namespace have the same ones.

use std::io;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rcu_core::flavor::epoch::Epoch;
use semundo_core::engine::{Credentials, Engine};

/// Makes a set, or removes that of a place among those that there are.
#[derive(Clone, Debug)]
enum Step {
    Make,
    Remove(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => Just(Step::Make), 2 => any::<prop::sample::Index>().prop_map(Step::Remove)];
    prop::collection::vec(step, 1..400)
}

/// The kernel's answer: an identifier, or the error.
fn kernel(result: i32) -> Result<i32, i32> {
    if result < 0 { Err(io::Error::last_os_error().raw_os_error().unwrap()) } else { Ok(result) }
}

#[test]
fn identifiers_are_the_kernels() {
    let tested = std::thread::spawn(|| {
        let mut runner = TestRunner::new(Config { cases: 64, ..Config::default() });
        runner.run(&steps(), |steps| {
            // A namespace for this thread alone, which ends with it, or with the next case.
            // SAFETY: nothing of the process is shared by the new namespace.
            if unsafe { libc::unshare(libc::CLONE_NEWIPC) } != 0 {
                return Err(TestCaseError::reject(io::Error::last_os_error().to_string()));
            }
            let engine = Engine::new(Epoch);
            let process = engine.process(Credentials::root(), 1).unwrap();
            let mut there = Vec::new();
            for step in steps {
                match step {
                    Step::Make => {
                        // SAFETY: semget takes numbers only.
                        let semid = kernel(unsafe { libc::semget(libc::IPC_PRIVATE, 1, 0o600) });
                        prop_assert_eq!(process.semget(0, 1, 0o600).map_err(|errno| errno.get()), semid);
                        there.extend(semid);
                    }
                    Step::Remove(_) if there.is_empty() => {}
                    Step::Remove(place) => {
                        let semid = there.swap_remove(place.index(there.len()));
                        // SAFETY: IPC_RMID takes no argument.
                        let removed = kernel(unsafe { libc::semctl(semid, 0, libc::IPC_RMID) }).map(drop);
                        prop_assert_eq!(process.rmid(semid).map_err(|errno| errno.get()), removed);
                    }
                }
                // SAFETY: SEM_INFO writes a structure of ten integers.
                let highest = unsafe {
                    let mut info = [0_i32; 10];
                    libc::semctl(0, 0, libc::SEM_INFO, info.as_mut_ptr())
                };
                prop_assert_eq!(process.sem_info().0, highest);
            }
            Ok(())
        })
    });
    match tested.join().unwrap() {
        Err(proptest::test_runner::TestError::Abort(why)) => println!("NOT TESTED: unshare(CLONE_NEWIPC): {why}"),
        result => result.unwrap(),
    }
}
