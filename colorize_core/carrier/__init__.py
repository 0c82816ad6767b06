"""What has been encoded of the references, and its file."""
