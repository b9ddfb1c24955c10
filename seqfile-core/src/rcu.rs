//! The records of an RCU list, passed over in a read-side critical section.

use rcu_core::{Flavor, RcuList};

use crate::{Errno, Pass};

macro_rules! pass {
    ($links:ty) => {
        /// The entries of a list that is read without a lock while it changes.
        impl<T, F> Pass for &RcuList<T, F, $links>
        where
            T: rcu_core::Linked<$links> + Send + Sync + 'static,
            F: Flavor,
        {
            type Record = T;

            fn pass(&mut self, mut visit: impl FnMut(&T)) -> Result<(), Errno> {
                let guard = self.read();
                self.iter(&guard).for_each(|entry| visit(entry));
                Ok(())
            }
        }
    };
}

pass!(rcu_core::Links);
pass!(rcu_core::HLinks);
