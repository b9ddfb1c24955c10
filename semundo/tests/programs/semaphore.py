# A lock of the module sysv_ipc, by commands on standard input.
import sys

import sysv_ipc

for line in sys.stdin:
    word, *rest = line.split()
    if word == "open":
        key = int(rest[0])
        try:
            lock = sysv_ipc.Semaphore(key, sysv_ipc.IPC_CREX, initial_value=1)
        except sysv_ipc.ExistentialError:
            lock = sysv_ipc.Semaphore(key)
        lock.undo = True
        print(lock.id)
    elif word == "acquire":
        lock.acquire()
        print("acquired")
    elif word == "release":
        lock.release()
        print("released")
