// People's pictures: got once with the sign-in, kept, and drawn over the initials that stand there until then.
//
// They are drawn on canvases: the policy of the page need not allow pictures out of memory for that, and what a picture
// shows can do nothing there.

const KEPT = 200;
const SIDE = 128; // pixels: sharp where it is shown largest
const ADDRESS = /^\/api\/v1\/users\/[A-Za-z0-9_-]+\/avatar\?v=[A-Za-z0-9_-]+$/u;

export class Faces {
  #known = new Map(); // address -> its bitmap, or a promise of it or of null; the one used longest ago first

  constructor(session) {
    this.session = session;
  }

  /** Draw the picture at this address on an avatar; where there is none, it stays as it is. */
  draw(node, address) {
    if (!address || !ADDRESS.test(address)) return;
    const face = this.#known.get(address) ?? this.#get(address);
    this.#known.delete(address);
    this.#known.set(address, face);
    if (this.#known.size > KEPT) this.#known.delete(this.#known.keys().next().value);
    if (face instanceof ImageBitmap) paintFace(node, face);
    else face.then((bitmap) => bitmap && paintFace(node, bitmap));
  }

  #get(address) {
    const face = this.#fetch(address).then(
      (bitmap) => {
        if (bitmap) this.#known.set(address, bitmap);
        return bitmap;
      },
      () => {
        this.#known.delete(address); // the next one who wants it asks again
        return null;
      },
    );
    return face;
  }

  async #fetch(address) {
    const headers = { Authorization: `Bearer ${await this.session.token()}` };
    const response = await fetch(address, { headers });
    if (response.status === 404) return null;
    if (!response.ok) throw new TypeError("no picture for now");
    return createImageBitmap(await response.blob(), { resizeWidth: SIDE, resizeHeight: SIDE, resizeQuality: "high" });
  }
}

/** The middle of a picture that somebody chose, as a bitmap. Rejects where it is none that can be shown. */
export async function preview(file) {
  const whole = await createImageBitmap(file);
  const side = Math.min(whole.width, whole.height);
  const crop = [(whole.width - side) / 2, (whole.height - side) / 2, side, side].map(Math.floor);
  return createImageBitmap(whole, ...crop, { resizeWidth: SIDE, resizeHeight: SIDE, resizeQuality: "high" });
}

/** Show a picture in the place of the initials. */
export function paintFace(node, bitmap) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  canvas.getContext("2d").drawImage(bitmap, 0, 0, SIDE, SIDE);
  node.replaceChildren(canvas);
}
