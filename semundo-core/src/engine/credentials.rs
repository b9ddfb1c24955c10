//! Who calls, and what they may do to a set (`ipc/util.c: ipcperms`, `credentials(7)`).

use alloc::vec::Vec;

/// Read permission, of owner, group and others.
pub(super) const S_IRUGO: i32 = 0o444;
/// Alter permission, of owner, group and others.
pub(super) const S_IWUGO: i32 = 0o222;

/// What permissions are checked against: the effective ids, the groups, and two capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The effective user id.
    pub uid: u32,
    /// The effective group id.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
    /// `CAP_IPC_OWNER`: permissions do not bind.
    pub ipc_owner: bool,
    /// `CAP_SYS_ADMIN`: sets of others may be changed and removed.
    pub sys_admin: bool,
}

impl Credentials {
    /// The super user's: all capabilities.
    #[must_use]
    pub const fn root() -> Self {
        Self { uid: 0, gid: 0, groups: Vec::new(), ipc_owner: true, sys_admin: true }
    }

    /// A user's without capabilities or further groups.
    #[must_use]
    pub const fn user(uid: u32, gid: u32) -> Self {
        Self { uid, gid, groups: Vec::new(), ipc_owner: false, sys_admin: false }
    }

    /// `kernel/groups.c: in_group_p`.
    fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

/// What a set's permissions are decided by.
#[derive(Clone, Copy)]
pub(super) struct Permissions {
    pub uid: u32,
    pub gid: u32,
    pub cuid: u32,
    pub cgid: u32,
    pub mode: u32,
}

impl Permissions {
    /// Whether `who` may do all that `wanted` asks for, whose three groups of bits are one (`ipc/util.c: ipcperms`).
    #[inline]
    pub(super) fn allow(&self, who: &Credentials, wanted: i32) -> bool {
        let wanted = (wanted >> 6) | (wanted >> 3) | wanted;
        let granted = if who.uid == self.cuid || who.uid == self.uid {
            self.mode >> 6
        } else if who.in_group(self.cgid) || who.in_group(self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        wanted & !(granted as i32) & 0o7 == 0 || who.ipc_owner
    }

    /// Whether `who` may change or remove the set (`ipc/util.c: ipcctl_obtain_check`).
    pub(super) fn owned_by(&self, who: &Credentials) -> bool {
        who.uid == self.cuid || who.uid == self.uid || who.sys_admin
    }
}
