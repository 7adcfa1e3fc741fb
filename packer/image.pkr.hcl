# The image pra/app: two static programs, nothing below or beside them.
#
# `cargo xtask image` compiles the programs and builds this with the right values. By hand, from the root of the
# project and with Packer 1.6 or newer:
#
#   packer init packer/plugins.pkr.hcl        (once; Packer 1.6 has the plugin built in and needs no init)
#   packer build packer/image.pkr.hcl
#
# The file is named, not its folder: the folder also holds plugins.pkr.hcl, which Packer 1.6 cannot read.

variable "version" {
  type    = string
  default = "dev"
}

variable "revision" {
  type        = string
  default     = "unknown"
  description = "The commit that the programs were built from."
}

variable "programs" {
  type        = string
  default     = "target/x86_64-unknown-linux-gnu/release"
  description = "The directory with the static programs app and backup."
}

variable "layer" {
  type        = string
  default     = "target/image.tar"
  description = "Where the only layer of the image is written."
}

source "null" "programs" {
  communicator = "none"
}

build {
  sources = ["source.null.programs"]

  # Order, owner, mode and time are fixed: the same programs give the same layer, whoever builds it and when. They are
  # in /bin because the volume of the restore points is mounted on /backup.
  provisioner "shell-local" {
    inline = [
      "tar --create --file='${var.layer}' --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0555 --transform='s,^,bin/,' --directory='${var.programs}' app backup",
    ]
  }

  post-processors {
    post-processor "artifice" {
      files = [var.layer]
    }

    post-processor "docker-import" {
      repository = "pra/app"
      tag        = var.version
      changes = [
        "ENTRYPOINT [\"/bin/app\"]",
        "EXPOSE 8080",
        # By number: there is no /etc/passwd, and Kubernetes cannot tell that a name is not root.
        "USER 10001:10001",
        "LABEL org.opencontainers.image.title=pra/app",
        "LABEL org.opencontainers.image.version=${var.version}",
        "LABEL org.opencontainers.image.revision=${var.revision}",
        "LABEL org.opencontainers.image.licenses=\"MIT OR Apache-2.0\"",
      ]
    }
  }
}
