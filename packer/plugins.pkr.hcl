# What Packer 1.7 and newer has to fetch, with `packer init packer/plugins.pkr.hcl`. Not in image.pkr.hcl, since
# Packer 1.6 (Debian's), which has the plugin built in, refuses this block.

packer {
  required_plugins {
    docker = {
      source  = "github.com/hashicorp/docker"
      version = "~> 1.1"
    }
  }
}
