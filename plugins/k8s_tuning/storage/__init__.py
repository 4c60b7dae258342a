"""The shared folder: files that several processes on several machines read and change."""
