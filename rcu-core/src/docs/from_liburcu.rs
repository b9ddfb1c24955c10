//! Moving over from liburcu.
//!
//! | C | Rust |
//! |---|---|
//! | `urcu_memb_*`, `urcu_bp_*` | [`Membarrier`](crate::flavor::membarrier::Membarrier); `urcu_mb_*` is a domain with [`Strategy::Fence`](crate::domain::Strategy::Fence) |
//! | `rcu_init()` | nothing |
//! | `rcu_register_thread()`, `rcu_unregister_thread()` | nothing; or [`Domain::handle`](crate::Domain::handle) and its drop |
//! | `rcu_read_lock()`, `rcu_read_unlock()` | [`read_lock`](crate::Flavor::read_lock) and the guard's drop |
//! | `rcu_read_ongoing()` | nothing: references carry their guard's lifetime |
//! | `rcu_dereference(p)` | [`RcuPtr::dereference`](crate::RcuPtr::dereference), [`RcuCell::borrow`](crate::RcuCell::borrow) |
//! | `rcu_assign_pointer(p, v)`, `rcu_xchg_pointer(&p, v)` | [`RcuPtr::replace`](crate::RcuPtr::replace), [`RcuCell::replace`](crate::RcuCell::replace) |
//! | `rcu_cmpxchg_pointer(&p, old, new)` | [`RcuPtr::update`](crate::RcuPtr::update), [`RcuCell::update`](crate::RcuCell::update) |
//! | `synchronize_rcu()` | [`synchronize`](crate::Flavor::synchronize) |
//! | `start_poll_synchronize_rcu()`, `poll_state_synchronize_rcu()` | [`Domain::start_poll`](crate::Domain::start_poll), [`Domain::poll`](crate::Domain::poll) |
//! | `call_rcu(head, f)` | [`call`](crate::Flavor::call) (unsafe); the containers do it for what they own; [`defer`](crate::Flavor::defer) takes a closure |
//! | `defer_rcu(f, p)` | [`defer`](crate::Flavor::defer) |
//! | `rcu_barrier()`, `rcu_defer_barrier()` | [`barrier`](crate::Flavor::barrier) |
//! | `create_call_rcu_data()` and its threads | nothing: writers reclaim |
//! | `call_rcu_before_fork()` and the like, `urcu_bp_before_fork()` | nothing: `pthread_atfork(3)` handlers are installed |
//! | `urcu_qsbr_register_thread()` | [`Qsbr::register`](crate::flavor::qsbr::Qsbr::register) |
//! | `urcu_qsbr_quiescent_state()` | [`Reader::quiescent_state`](crate::flavor::qsbr::Reader::quiescent_state) |
//! | `urcu_qsbr_thread_offline()`, `..._online()` | [`Reader::offline`](crate::flavor::qsbr::Reader::offline) |
//! | `urcu_qsbr_synchronize_rcu()` of a registered thread | [`Reader::synchronize`](crate::flavor::qsbr::Reader::synchronize) |
//! | `struct cds_list_head`, `cds_list_add_rcu()`, `cds_list_add_tail_rcu()`, `cds_list_del_rcu()` | [`List`](crate::List), or the raw operations of [`ListHead`](crate::list::ListHead) |
//! | `cds_list_for_each_entry_rcu()` | [`List::iter`](crate::List) |
//! | `struct cds_hlist_head`, `cds_hlist_*_rcu()` | [`HList`](crate::HList), or the raw operations of [`HlistHead`](crate::hlist::HlistHead) |
//! | `container_of()` | [`linked!`](crate::linked) |
//!
//! What the compiler now checks: a reference does not outlive its section, a section stays on its thread, an entry is in one list, and a QSBR reader holds
//! nothing when it says so. What you give up: lock-free hash tables, queues and stacks (`cds_lfht`, `wfcqueue`), and `call_rcu` worker threads.
//!
//! ```c
//! rcu_register_thread();
//! rcu_read_lock();
//! cds_list_for_each_entry_rcu(route, &routes, node)
//!     sum += route->prefix;
//! rcu_read_unlock();
//! pthread_mutex_lock(&lock);
//! cds_list_del_rcu(&route->node);
//! pthread_mutex_unlock(&lock);
//! call_rcu(&route->head, free_route);
//! ```
//!
//! becomes
//!
//! ```
//! use rcu_core::{List, Links, flavor::membarrier::Membarrier, linked};
//!
//! struct Route { links: Links, prefix: u32 }
//! linked!(Route, links);
//!
//! let routes = List::new(Membarrier);
//! routes.lock().push_back(Box::new(Route { links: Links::new(), prefix: 7 }));
//!
//! let sum: u32 = routes.iter(&routes.read()).map(|route| route.prefix).sum();
//! assert_eq!(sum, 7);
//!
//! routes.lock().retain(|route| route.prefix != 7);
//! ```
