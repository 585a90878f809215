//! A disk in memory that forgets what was not synced, fails at the call it is told to, and fills up.
//! Deterministic: the same calls and the same seed leave the same bytes.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile};

const SECTOR: usize = 512;

/// What an armed call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimulatedFault {
    /// Fails with this error number and changes nothing, but a failed sync drops the unsynced bytes from
    /// the device while reads go on showing them, as Linux does.
    Errno(i32),
    /// A write takes half of its bytes and says so; other calls are not touched.
    Short,
    /// Fails with this error number after half of the bytes were written.
    ShortErrno(i32),
}

/// A handle to the simulated disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, Arc<Mutex<Content>>>,
    /// The directory as it is on the device, and what was done to it since.
    synced_names: BTreeMap<String, Arc<Mutex<Content>>>,
    pending: Vec<NameChange>,
    calls: u64,
    armed: BTreeMap<u64, SimulatedFault>,
    capacity: Option<u64>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(String, Arc<Mutex<Content>>),
    Rename(String, String),
    Remove(String),
}

#[derive(Debug, Default)]
struct Content {
    live: Vec<u8>,
    device: Vec<u8>,
    /// A sync failed and what it should have stored is lost, though `live` still shows it.
    lost: bool,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls that can fail were made.
    pub fn calls(&self) -> u64 {
        lock(&self.0).calls
    }

    /// Lets the call after the first `call` calls do this.
    pub fn arm(&self, call: u64, fault: SimulatedFault) {
        lock(&self.0).armed.insert(call, fault);
    }

    /// Limits the bytes of all files together; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        lock(&self.0).capacity = bytes;
    }

    /// The bytes of a file as reads see them.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        lock(&self.0)
            .names
            .get(name)
            .map(|file| lock(file).live.clone())
    }

    /// Replaces or makes a file, durable at once: for tests that play with files.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let file = Content {
            live: bytes.into(),
            device: bytes.into(),
            lost: false,
        };
        let file = Arc::new(Mutex::new(file));
        let mut state = lock(&self.0);
        state.names.insert(name.into(), Arc::clone(&file));
        state.synced_names.insert(name.into(), file);
    }

    /// A disk of its own with the same files, all durable.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        for (name, file) in &lock(&self.0).names {
            copy.put(name, &lock(file).live);
        }
        copy
    }

    /// The disk as it is after the power went: of what was not synced, `seed` chooses what arrived.
    pub fn power_cut(&self, seed: u64) -> Self {
        let mut random = Random(seed);
        let state = lock(&self.0);
        let mut names = state.synced_names.clone();
        let arrived = random.below(state.pending.len() + 1);
        for change in &state.pending[..arrived] {
            match change {
                NameChange::Create(name, file) => {
                    names.insert(name.clone(), Arc::clone(file));
                }
                NameChange::Rename(from, to) => {
                    if let Some(file) = names.remove(from) {
                        names.insert(to.clone(), file);
                    }
                }
                NameChange::Remove(name) => {
                    names.remove(name);
                }
            }
        }
        let after = Self::new();
        for (name, file) in names {
            after.put(&name, &lock(&file).after_power_cut(&mut random));
        }
        after
    }

    /// Counts a call; answers the fault armed for it.
    fn call(&self) -> (MutexGuard<'_, State>, Option<SimulatedFault>) {
        let mut state = lock(&self.0);
        let call = state.calls;
        state.calls += 1;
        let fault = state.armed.remove(&call);
        (state, fault)
    }

    /// The same, for calls that only can fail as a whole.
    fn whole_call(&self) -> io::Result<MutexGuard<'_, State>> {
        match self.call() {
            (_, Some(SimulatedFault::Errno(errno) | SimulatedFault::ShortErrno(errno))) => {
                Err(io::Error::from_raw_os_error(errno))
            }
            (state, Some(SimulatedFault::Short) | None) => Ok(state),
        }
    }

    fn handle(&self, file: &Arc<Mutex<Content>>) -> Arc<dyn DiskFile> {
        Arc::new(Handle {
            disk: self.clone(),
            file: Arc::clone(file),
        })
    }
}

impl Content {
    fn after_power_cut(&self, random: &mut Random) -> Vec<u8> {
        if self.lost || self.live == self.device {
            return self.device.clone();
        }
        let (short, long) = (
            self.live.len().min(self.device.len()),
            self.live.len().max(self.device.len()),
        );
        let size = match random.below(4) {
            0 => self.device.len(),
            1 => self.live.len(),
            _ => short + random.below(long - short + 1),
        };
        let keep_all = random.below(3) == 0;
        let mut bytes = Vec::with_capacity(size);
        for start in (0..size).step_by(SECTOR) {
            let end = size.min(start + SECTOR);
            let from = if keep_all || random.below(2) == 0 {
                &self.live
            } else {
                &self.device
            };
            let part = from.get(start..end.min(from.len())).unwrap_or_default();
            bytes.extend_from_slice(part);
            bytes.resize(end, 0);
        }
        bytes
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.whole_call()?.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.whole_call()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = Arc::<Mutex<Content>>::default();
        state.names.insert(name.into(), Arc::clone(&file));
        state
            .pending
            .push(NameChange::Create(name.into(), Arc::clone(&file)));
        Ok(self.handle(&file))
    }

    fn open(&self, name: &str, _write: bool) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.whole_call()?;
        let file = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.whole_call()?;
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.into(), file);
        state
            .pending
            .push(NameChange::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.whole_call()?;
        state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.pending.push(NameChange::Remove(name.into()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.whole_call()?;
        state.synced_names = state.names.clone();
        state.pending.clear();
        Ok(())
    }
}

#[derive(Debug)]
struct Handle {
    disk: SimulatedDisk,
    file: Arc<Mutex<Content>>,
}

impl Handle {
    fn put(&self, state: &State, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let used: usize = state.names.values().map(|file| lock(file).live.len()).sum();
        let mut content = lock(&self.file);
        let growth = (start + bytes.len()).saturating_sub(content.live.len());
        let room = state.capacity.map_or(growth, |bytes| {
            (bytes as usize).saturating_sub(used).min(growth)
        });
        let taken = &bytes[..bytes.len() - (growth - room)];
        if taken.is_empty() && !bytes.is_empty() {
            return Err(io::Error::from_raw_os_error(28));
        }
        let end = start + taken.len();
        if content.live.len() < end {
            content.live.resize(end, 0);
        }
        content.live[start..end].copy_from_slice(taken);
        Ok(taken.len())
    }
}

impl DiskFile for Handle {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let _state = self.disk.whole_call()?;
        let content = lock(&self.file);
        let start =
            usize::try_from(offset).map_or(content.live.len(), |at| at.min(content.live.len()));
        let count = into.len().min(content.live.len() - start);
        into[..count].copy_from_slice(&content.live[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let (state, fault) = self.disk.call();
        let half = &bytes[..bytes.len().div_ceil(2)];
        match fault {
            Some(SimulatedFault::Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(SimulatedFault::ShortErrno(errno)) => {
                self.put(&state, half, offset)?;
                Err(io::Error::from_raw_os_error(errno))
            }
            Some(SimulatedFault::Short) => self.put(&state, half, offset),
            None => self.put(&state, bytes, offset),
        }
    }

    fn size(&self) -> io::Result<u64> {
        let _state = self.disk.whole_call()?;
        Ok(lock(&self.file).live.len() as u64)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let _state = self.disk.whole_call()?;
        lock(&self.file)
            .live
            .truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.disk.whole_call().map(drop);
        let mut content = lock(&self.file);
        match &synced {
            Ok(()) if !content.lost => content.device = content.live.clone(),
            Ok(()) => {}
            Err(_) => content.lost = true,
        }
        synced
    }

    fn evict(&self) -> io::Result<()> {
        let _state = self.disk.whole_call()?;
        let mut content = lock(&self.file);
        if content.lost {
            content.live = content.device.clone();
            content.lost = false;
        }
        Ok(())
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
