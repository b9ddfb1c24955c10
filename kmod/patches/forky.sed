# What the series says otherwise for the kernel source of Debian's forky (7.2), where it goes in with a fuzz of 2.
s/kzalloc(sizeof(\*undo_list), GFP_KERNEL_ACCOUNT)/kzalloc_obj(*undo_list, GFP_KERNEL_ACCOUNT)/
# The section of the documentation comes behind one more.
s|^   3\.13  /proc/<pid>/fd - List of symlinks to open files$|   3.14  /proc/<pid>/ksm_stat - Information about the process's ksm status.|
s|^+\( *\)3\.14\(.*/proc/<pid>/semundo\)|+\13.15\2|
