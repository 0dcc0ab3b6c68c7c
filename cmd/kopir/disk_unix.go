//go:build linux || darwin || freebsd

package main

import "syscall"

// diskUsage is how much of a folder's disk is used of what this user could use,
// as df reckons; of its inodes where these are nearer to their end.
func diskUsage(folder string) (used, total uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, 0, err
	}
	size := uint64(s.Bsize)
	used = (s.Blocks - s.Bfree) * size
	total = used + uint64(s.Bavail)*size
	if files, free := s.Files, uint64(s.Ffree); files > 0 && total > 0 && float64(files-free)/float64(files) > float64(used)/float64(total) {
		return files - free, files, nil
	}
	return used, total, nil
}

// memoryLimitFile is where a container says how much memory it has.
const memoryLimitFile = "/sys/fs/cgroup/memory.max"
