# The image pra/drill: what a drill inside a cluster needs, three static programs of this project and kubectl.
#
# `cargo xtask image --drill` compiles the programs and builds this with the right values; image.pkr.hcl says how it is
# done by hand.

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
  description = "The directory with the static programs app, backup and drill."
}

variable "kubectl" {
  type        = string
  default     = "target/tools/bin"
  description = "The directory with a static kubectl."
}

variable "layer" {
  type        = string
  default     = "target/drill.tar"
  description = "Where the only layer of the image is written."
}

source "null" "programs" {
  communicator = "none"
}

build {
  sources = ["source.null.programs"]

  # As in image.pkr.hcl: the same programs give the same layer. What is installed as kubectl may be a link.
  provisioner "shell-local" {
    inline = [
      "tar --create --file='${var.layer}' --format=ustar --dereference --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0555 --transform='s,^,bin/,' --directory='${var.programs}' app backup drill --directory='${var.kubectl}' kubectl",
    ]
  }

  post-processors {
    post-processor "artifice" {
      files = [var.layer]
    }

    post-processor "docker-import" {
      repository = "pra/drill"
      tag        = var.version
      changes = [
        "ENTRYPOINT [\"/bin/drill\"]",
        # The drill finds kubectl by it.
        "ENV PATH=/bin",
        "USER 10001:10001",
        "LABEL org.opencontainers.image.title=pra/drill",
        "LABEL org.opencontainers.image.version=${var.version}",
        "LABEL org.opencontainers.image.revision=${var.revision}",
        # The programs are under either; kubectl is under the latter.
        "LABEL org.opencontainers.image.licenses=\"(MIT OR Apache-2.0) AND Apache-2.0\"",
      ]
    }
  }
}
